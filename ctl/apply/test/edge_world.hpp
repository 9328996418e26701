// SPDX-License-Identifier: Apache-2.0
// For tests of the L4 side whole: a client, an edge (this process' namespace), a backend on another host, one in a pod behind a veth, one
// behind a bridge; tables for them, and who answers.
#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "ctl/apply/edge.hpp"
#include "ctl/apply/test/lab.hpp"
#include "tools/test/catch.hpp"

namespace penstock::apply::testing {

inline constexpr std::uint16_t kPort = 5000;

struct World {
    lab::Namespace client;
    lab::Namespace host;
    lab::Namespace pod;
    lab::Namespace bridged;
    lab::PinDir pins;

    World() {
        lab::sh("sysctl -qw net.ipv4.ip_local_port_range='32768 60999' net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0");
        connect(client, "client", 1, "");
        connect(host, "host", 2, "");
        connect(pod, "pod", 3, "");
        lab::sh("ip link add cbr0 type bridge; ip link set cbr0 up");
        connect(bridged, "bridged", 4, "cbr0");
        client.sh("ip route add 198.51.100.0/24 via 10.90.1.1; ip -6 route add 2001:db8:100::/64 via fd90:1::1");
    }
    ~World() {
        for (const char* name : {"to-client", "to-host", "to-pod", "to-bridged", "cbr0"}) {
            lab::sh(std::string("ip link del ") + name);
        }
    }

    static void connect(const lab::Namespace& to, const std::string& name, int net, const std::string& bridge) {
        const std::string outer = "to-" + name;
        const std::string n = std::to_string(net);
        lab::sh("ip link add " + outer + " type veth peer name eth0 netns " + to.path());
        if (!bridge.empty()) {
            lab::sh("ip link set " + outer + " master " + bridge);
        }
        const std::string port = bridge.empty() ? outer : bridge;
        lab::sh("ip addr add 10.90." + n + ".1/24 dev " + port + "; ip addr add fd90:" + n + "::1/64 dev " + port + " nodad; ip link set " + outer + " up");
        to.sh("ip addr add 10.90." + n + ".2/24 dev eth0; ip addr add fd90:" + n + "::2/64 dev eth0 nodad; ip link set eth0 up");
        to.sh("ip route add default via 10.90." + n + ".1; ip -6 route add default via fd90:" + n + "::1");
    }

    [[nodiscard]] EdgeOptions options() const {
        EdgeOptions made{.interfaces = {"to-client", "to-host"}};
        made.datapath = {.pin_dir = pins.path(), .flows_max = 65536, .vips_max = 64, .services_max = 64, .backends_max = 256, .slots_max = 65536};
        return made;
    }
    // XDP sees frames as on a wire only if the sender finishes its checksums.
    void whole_checksums() const {
        for (const lab::Namespace* one : {&client, &host}) {
            one->sh("ethtool -K eth0 tx off tso off gso off >/dev/null");
        }
    }
};

// One service for each family and transport over the given backends' nets, and VIPs for them.
inline compile::Compiled compiled(const std::vector<int>& nets) {
    compile::Compiled out;
    std::uint16_t service = 0;
    std::uint32_t backend = 0;
    for (const bool six : {false, true}) {
        for (const auto transport : {compile::Transport::tcp, compile::Transport::udp}) {
            compile::Service made{.id = ++service, .name = "r" + std::to_string(service), .family = six ? Family::v6 : Family::v4, .transport = transport};
            for (const int net : {2, 3, 4}) {
                ++backend;  // stable numbers
                if (std::find(nets.begin(), nets.end(), net) == nets.end()) {
                    continue;
                }
                const std::string n = std::to_string(net);
                const auto endpoint = Endpoint::parse((six ? "[fd90:" + n + "::2]" : "10.90." + n + ".2") + ":" + std::to_string(kPort));
                made.backends.push_back({.backend = backend, .weight = 1});
                out.steering.backends.push_back({.id = backend, .service = service, .endpoint = *endpoint});
            }
            const IpAddress vip = *IpAddress::parse(six ? "2001:db8:100::10" : "198.51.100.10");
            out.steering.vips.push_back({.address = {vip, 80}, .transport = transport, .target = compile::Vip::Target::service, .service = service, .listener = service});
            out.steering.services.push_back(std::move(made));
        }
        out.addresses.push_back({.address = *IpAddress::parse(six ? "2001:db8:100::10" : "198.51.100.10"), .requested = true});
    }
    return out;
}

inline std::unique_ptr<Edge> open(const EdgeOptions& options) {
    auto opened = Edge::open(options);
    if (!opened.ok()) {
        FAIL(opened.error().report());
    }
    auto edge = std::move(opened).value();
    if (!edge->has_datapath()) {
        FAIL(edge->why_no_datapath()->report());
    }
    return edge;
}

inline void go(Edge& edge, const compile::Compiled& wanted, std::int64_t now_ms = 1000) {
    for (const auto& problems : {edge.prepare(wanted, now_ms), edge.finish(wanted, now_ms)}) {
        for (const Problem& problem : problems) {
            FAIL(problem.what << ": " << problem.error.report());
        }
    }
}

// Follows events until nothing has come for a moment.
inline void settle(Edge& edge, const compile::Compiled& wanted) {
    pollfd one{edge.events_fd(), POLLIN, 0};
    for (int i = 0; i < 50 && poll(&one, 1, 200) == 1; ++i) {
        if (edge.on_events()) {
            go(edge, wanted);
        }
    }
}

inline std::set<std::string> who_answers(const World& world, const std::string& vip, int type, int flows) {
    std::set<std::string> names;
    for (int i = 0; i < flows; ++i) {
        const Fd fd = lab::connect_to(world.client, *Endpoint::parse(vip + ":80"), type);
        const std::string answer = lab::ask(fd.get(), "hello", type == SOCK_DGRAM);
        names.insert(answer.substr(0, answer.find(' ')));
        CHECK(answer.size() > 6);
    }
    return names;
}

inline std::uint64_t packets(Edge& edge, const std::string& verdict) {
    const auto all = edge.datapath()->verdicts();
    return std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == verdict; })->packets;
}

}  // namespace penstock::apply::testing
