// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/reacher.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;
using Exit = plan::Reach::Exit;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

constexpr Mac kOwn{2, 0, 0, 0, 0, 1};
constexpr Mac kHop{2, 0, 0, 0, 0, 2};

}  // namespace

TEST_CASE("apply: the exit follows from route, device, neighbour and XDP features") {
    const Route route{.ifindex = 3, .source = ip("10.0.0.1")};
    const Interface hardware{.index = 3, .name = "eth0", .mac = kOwn, .up = true, .ethernet = true};
    Interface pod = hardware;
    pod.kind = "veth";
    pod.peer_elsewhere = true;
    Interface pair = pod;
    pair.peer_elsewhere = false;
    Interface down = hardware;
    down.up = false;
    Interface tunnel = hardware;
    tunnel.ethernet = false;
    const Neighbour known{.state = NeighbourState::usable, .mac = kHop};
    const Neighbour stale{.state = NeighbourState::stale, .mac = kHop};
    const Neighbour unknown{};
    Route local = route;
    local.local = true;
    const Route unsourced{.ifindex = 3};
    struct Row {
        const char* what;
        Route route;
        const Interface* device;
        bool transmits;
        Neighbour neighbour;
        Exit exit;
    };
    const Row rows[] = {
        {"hardware that transmits", route, &hardware, true, known, Exit::xmit},
        {"a stale neighbour is good until it is found to be wrong", route, &hardware, true, stale, Exit::xmit},
        {"the kernel resolves what is not known", route, &hardware, true, unknown, Exit::neigh},
        {"hardware that does not transmit XDP frames", route, &hardware, false, known, Exit::neigh},
        {"a pod", route, &pod, false, known, Exit::peer},
        {"a pod whose peer takes XDP frames", route, &pod, true, known, Exit::xmit},
        {"a pod not yet seen", route, &pod, false, unknown, Exit::neigh},
        {"a veth within this namespace", route, &pair, false, known, Exit::neigh},
        {"no Ethernet", route, &tunnel, false, known, Exit::neigh},
        {"down", route, &down, true, known, Exit::none},
        {"gone", route, nullptr, true, known, Exit::none},
        {"this node itself", local, &hardware, true, known, Exit::none},
        {"no source address", unsourced, &hardware, true, known, Exit::none},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        const plan::Reach reach = choose_exit(ip("10.0.0.9"), row.route, row.device, row.transmits, row.neighbour);
        CHECK(reach.exit == row.exit);
        CHECK(reach.why.empty() == (row.exit != Exit::none));
        CHECK(reach.xdp == (row.exit == Exit::xmit));
        if (row.exit == Exit::xmit || row.exit == Exit::peer) {
            CHECK(reach.dmac == kHop);
            CHECK(reach.smac == kOwn);
        }
    }
}

TEST_CASE("apply: a gateway is the next hop, also one of the other family") {
    const Interface hardware{.index = 3, .name = "eth0", .mac = kOwn, .up = true, .ethernet = true};
    Route route{.ifindex = 3, .gateway = ip("fe80::1"), .source = ip("10.0.0.1")};
    CHECK(choose_exit(ip("192.0.2.9"), route, &hardware, false, {}).next_hop == ip("fe80::1"));
    route.gateway.reset();
    CHECK(choose_exit(ip("192.0.2.9"), route, &hardware, false, {}).next_hop == ip("192.0.2.9"));
}
