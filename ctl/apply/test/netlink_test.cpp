// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/netlink.hpp"

#include <poll.h>

#include <algorithm>

#include "ctl/apply/test/lab.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

// A veth to a namespace of its own, with addresses at both ends.
struct Pair {
    lab::Namespace other;
    Pair() {
        lab::sh("ip link add t0 type veth peer name eth0 netns " + other.path());
        lab::sh("ip addr add 10.99.0.1/24 dev t0; ip addr add fd99::1/64 dev t0 nodad; ip link set t0 up");
        other.sh("ip addr add 10.99.0.2/24 dev eth0; ip addr add fd99::2/64 dev eth0 nodad; ip link set eth0 up");
    }
    ~Pair() { lab::sh("ip link del t0"); }
};

template <class List, class Match>
auto find(const List& list, const Match& match) {
    const auto found = std::find_if(list.begin(), list.end(), match);
    REQUIRE(found != list.end());
    return *found;
}

Netlink open() {
    auto opened = Netlink::open();
    REQUIRE(opened.ok());
    return std::move(opened).value();
}

bool readable(int fd, int ms) {
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, ms) == 1;
}

}  // namespace

TEST_CASE("netlink: interfaces and addresses are read as they are") {
    const Pair pair;
    Netlink netlink = open();
    lab::sh("ip link add br9 type bridge; ip link add p0 type veth peer name p1; ip link set p0 master br9");
    const auto interfaces = netlink.interfaces();
    REQUIRE(interfaces.ok());
    const Interface veth = find(*interfaces, [](const auto& one) { return one.name == "t0"; });
    CHECK(veth.kind == "veth");
    CHECK((veth.up && veth.ethernet && veth.peer_elsewhere && !veth.loopback));
    CHECK(veth.mac != Mac{});
    const Interface bridge = find(*interfaces, [](const auto& one) { return one.name == "br9"; });
    CHECK(bridge.kind == "bridge");
    const Interface port = find(*interfaces, [](const auto& one) { return one.name == "p0"; });
    CHECK(port.master == bridge.index);
    CHECK_FALSE(port.peer_elsewhere);
    CHECK(find(*interfaces, [](const auto& one) { return one.name == "lo"; }).loopback);
    const auto addresses = netlink.addresses();
    REQUIRE(addresses.ok());
    const InterfaceAddress four = find(*addresses, [](const auto& one) { return one.address == ip("10.99.0.1"); });
    CHECK((four.prefix_length == 24 && four.ifindex == veth.index && four.global && !four.ours));
    CHECK_FALSE(find(*addresses, [&](const auto& one) { return one.ifindex == veth.index && one.address.family == Family::v6 && one.prefix_length == 64 && one.address != ip("fd99::1"); }).global);
    lab::sh("ip link del br9; ip link del p0");
}

TEST_CASE("netlink: addresses of ours are known again, those of others are not removed") {
    const Pair pair;
    Netlink netlink = open();
    const std::uint32_t index = find(*netlink.interfaces(), [](const auto& one) { return one.name == "t0"; }).index;
    for (const char* text : {"192.0.2.10", "2001:db8::10"}) {
        const IpAddress address = ip(text);
        INFO(text);
        REQUIRE(netlink.add_address(index, address).ok());
        const auto again = netlink.add_address(index, address);
        REQUIRE_FALSE(again.ok());
        CHECK(again.error().code == Errc::exists);
        Netlink restarted = open();
        const InterfaceAddress found = find(*restarted.addresses(), [&](const auto& one) { return one.address == address; });
        CHECK(found.ours);
        CHECK(found.prefix_length == (address.family == Family::v4 ? 32 : 128));
        CHECK(restarted.remove_address(index, address).ok());
        CHECK(restarted.remove_address(index, address).ok());  // it is gone: nothing to do
    }
    const auto refused = netlink.remove_address(index, ip("10.99.0.1"));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == Errc::denied);
}

TEST_CASE("netlink: an IPv6 address of ours is never chosen as source") {
    const Pair pair;
    Netlink netlink = open();
    const std::uint32_t index = find(*netlink.interfaces(), [](const auto& one) { return one.name == "t0"; }).index;
    REQUIRE(netlink.add_address(index, ip("fd99::3")).ok());
    const auto route = netlink.route_to(ip("fd99::2"));
    REQUIRE(route.ok());
    CHECK(route->source == ip("fd99::1"));
    REQUIRE(netlink.remove_address(index, ip("fd99::3")).ok());
}

TEST_CASE("netlink: a route names device, gateway and source") {
    const Pair pair;
    lab::sh("ip route add 10.77.0.0/16 via 10.99.0.2; ip route add fd77::/16 via fd99::2; ip route add default via 10.99.0.2");
    Netlink netlink = open();
    const std::uint32_t index = find(*netlink.interfaces(), [](const auto& one) { return one.name == "t0"; }).index;
    const auto direct = netlink.route_to(ip("10.99.0.2"));
    REQUIRE(direct.ok());
    CHECK((direct->ifindex == index && !direct->gateway && direct->source == ip("10.99.0.1") && !direct->local));
    const auto through = netlink.route_to(ip("10.77.1.1"));
    REQUIRE(through.ok());
    CHECK(through->gateway == ip("10.99.0.2"));
    const auto six = netlink.route_to(ip("fd77::1"));
    REQUIRE(six.ok());
    CHECK((six->gateway == ip("fd99::2") && six->source == ip("fd99::1")));
    CHECK(netlink.route_to(ip("10.99.0.1"))->local);
    CHECK(*netlink.default_route_interfaces() == std::vector<std::uint32_t>{index});
    lab::sh("ip route del default; ip route add unreachable 10.55.0.0/16");
    CHECK_FALSE(netlink.route_to(ip("10.55.0.1")).ok());
    CHECK(netlink.default_route_interfaces()->empty());
    lab::sh("ip route del unreachable 10.55.0.0/16");
}

TEST_CASE("netlink: a neighbour is resolved without traffic, and that is an event") {
    const Pair pair;
    Netlink netlink = open();
    auto events = NetlinkEvents::open();
    REQUIRE(events.ok());
    const std::uint32_t index = find(*netlink.interfaces(), [](const auto& one) { return one.name == "t0"; }).index;
    for (const char* text : {"10.99.0.2", "fd99::2"}) {
        INFO(text);
        CHECK(netlink.neighbour(index, ip(text))->state == NeighbourState::unknown);
        REQUIRE(netlink.resolve(index, ip(text)).ok());
        bool told = false;
        for (int i = 0; i < 50 && netlink.neighbour(index, ip(text))->mac == Mac{}; ++i) {
            told |= readable(events->fd(), 100) && events->drain().neighbours.contains({index, ip(text)});
        }
        told |= readable(events->fd(), 100) && events->drain().neighbours.contains({index, ip(text)});
        CHECK(netlink.neighbour(index, ip(text))->mac != Mac{});
        CHECK(told);
    }
}

TEST_CASE("netlink: links, addresses and routes that come and go are told") {
    auto events = NetlinkEvents::open();
    REQUIRE(events.ok());
    events->drain();
    CHECK_FALSE(events->drain().any());
    {
        const Pair pair;
        REQUIRE(readable(events->fd(), 1000));
        const auto changes = events->drain();
        CHECK((changes.links && changes.addresses && changes.routes));
    }
    REQUIRE(readable(events->fd(), 1000));
    CHECK(events->drain().links);
}

TEST_CASE("netlink: the kernel says which devices transmit XDP frames") {
    const Pair pair;
    Netlink netlink = open();
    const std::uint32_t index = find(*netlink.interfaces(), [](const auto& one) { return one.name == "t0"; }).index;
    const auto before = netlink.xdp_features(index);
    if (!before) {
        WARN("this kernel does not tell XDP features (before 6.3)");
        return;
    }
    CHECK_FALSE(before->xmit);
    pair.other.sh("ethtool -K eth0 gro on");
    CHECK(netlink.xdp_features(index)->xmit);
}
