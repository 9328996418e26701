// SPDX-License-Identifier: Apache-2.0
// Addresses that nodes share out, on real interfaces: which are here, for how long, and what a peer on the link hears and says.
#include <poll.h>

#include <algorithm>

#include "ctl/apply/announcer.hpp"
#include "ctl/apply/edge.hpp"
#include "ctl/apply/test/lab.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;
using Clock = std::chrono::steady_clock;

namespace {

const IpAddress kFour = *IpAddress::parse("10.77.0.200");
const IpAddress kSix = *IpAddress::parse("fd77::200");

// This process' namespace and a peer, by a veth.
struct Link {
    lab::Namespace peer;

    Link() {
        lab::sh("ip link add to-peer type veth peer name eth0 netns " + peer.path());
        lab::sh("ip addr add 10.77.0.1/24 dev to-peer; ip addr add fd77::1/64 dev to-peer nodad; ip link set to-peer up");
        peer.sh("ip addr add 10.77.0.2/24 dev eth0; ip addr add fd77::2/64 dev eth0 nodad; ip link set eth0 up; ip link set lo up");
    }
    ~Link() { lab::sh("ip link del to-peer"); }
};

compile::Compiled claiming(std::initializer_list<IpAddress> addresses) {
    compile::Compiled wanted;
    for (const IpAddress& address : addresses) {
        wanted.addresses.push_back({.address = address, .requested = true, .owner = {}});
    }
    return wanted;
}

std::vector<IpAddress> ours() {
    auto netlink = Netlink::open();
    REQUIRE(netlink.ok());
    std::vector<IpAddress> list;
    const std::vector<InterfaceAddress> all = *netlink->addresses();
    for (const InterfaceAddress& one : all) {
        if (one.ours) {
            list.push_back(one.address);
        }
    }
    std::sort(list.begin(), list.end());
    return list;
}

std::set<IpAddress> wait_for_claims(Announcer& announcer) {
    for (int i = 0; i < 100; ++i) {
        if (auto claims = announcer.hear(Clock::now()).claims; !claims.empty()) {
            return claims;
        }
        ::poll(nullptr, 0, 20);
    }
    return {};
}

}  // namespace

TEST_CASE("share: a node has the addresses that are its own by their Leases, and no other") {
    Link link;
    auto opened = Edge::open({.bpf = false, .shared = true});
    REQUIRE(opened.ok());
    Edge& edge = **opened;
    const auto wanted = claiming({kFour, kSix});
    CHECK(edge.prepare(wanted, 0).empty());
    CHECK(edge.finish(wanted, 0).empty());
    CHECK(ours().empty());
    CHECK(edge.addresses()[0].kind == AddressState::Kind::elsewhere);

    CHECK(edge.share({kFour}, true));
    CHECK(ours() == std::vector{kFour});
    CHECK(edge.addresses()[0].kind == AddressState::Kind::added);
    CHECK(edge.addresses()[0].interface == "to-peer");
    REQUIRE(edge.announced().size() == 1);
    CHECK(edge.announced()[0].address == kFour);
    // It goes by itself if nobody renews it; alone, it stays for good.
    lab::sh("ip addr show dev to-peer to 10.77.0.200/32 | grep -q 'valid_lft [0-9]*sec'");
    CHECK(edge.share({kFour}, false));
    lab::sh("ip addr show dev to-peer to 10.77.0.200/32 | grep -q 'valid_lft forever'");

    CHECK(edge.share({kSix}, true));
    CHECK(ours() == std::vector{kSix});
    lab::sh("ip addr show dev to-peer to fd77::200/128 | grep -q 'valid_lft [0-9]*sec'");
    (void)edge.tick();
    lab::sh("ip addr show dev to-peer to fd77::200/128 | grep -q -v tentative");
    // A new daemon takes nothing away before it knows.
    opened->reset();
    auto next = Edge::open({.bpf = false, .shared = true});
    REQUIRE(next.ok());
    (void)(*next)->prepare(wanted, 0);
    (void)(*next)->finish(wanted, 0);
    CHECK(ours() == std::vector{kSix});
    CHECK((*next)->share({}, true));
    CHECK(ours().empty());
}

TEST_CASE("share: what an earlier daemon put for a while stays for good as soon as this node is known to be alone") {
    Link link;
    const auto wanted = claiming({kFour});
    auto before = Edge::open({.bpf = false, .shared = true});
    REQUIRE(before.ok());
    (void)(*before)->prepare(wanted, 0);
    (void)(*before)->finish(wanted, 0);
    CHECK((*before)->share({kFour}, true));
    lab::sh("ip addr show dev to-peer to 10.77.0.200/32 | grep -q 'valid_lft [0-9]*sec'");
    before->reset();
    auto next = Edge::open({.bpf = false, .shared = true});
    REQUIRE(next.ok());
    CHECK((*next)->share({kFour}, false));  // it does not know yet what is wanted
    lab::sh("ip addr show dev to-peer to 10.77.0.200/32 | grep -q 'valid_lft forever'");
}

TEST_CASE("share: where a node announces is told by its own addresses; an interface may be named, and must be there") {
    Link link;
    auto opened = Edge::open({.bpf = false, .announce = "to-nobody", .shared = true});
    REQUIRE(opened.ok());
    CHECK((*opened)->networks().empty());
    (void)(*opened)->prepare(claiming({kFour}), 0);
    CHECK_FALSE((*opened)->share({kFour}, false));
    CHECK((*opened)->addresses()[0].detail.find("to-nobody") != std::string::npos);
    CHECK((*opened)->addresses()[0].refused);
    auto named = Edge::open({.bpf = false, .announce = "to-peer"});
    REQUIRE(named.ok());
    const auto networks = (*named)->networks();
    CHECK(std::find(networks.begin(), networks.end(), plan::Network{*IpAddress::parse("10.77.0.1"), 24}) != networks.end());
}

TEST_CASE("share: a link that is gone has no network, and what is on it is not announced until it is back") {
    Link link;
    auto opened = Edge::open({.bpf = false, .shared = true});
    REQUIRE(opened.ok());
    Edge& edge = **opened;
    (void)edge.prepare(claiming({kFour}), 0);
    CHECK(edge.share({kFour}, false));
    const plan::Network network{*IpAddress::parse("10.77.0.1"), 24};
    const auto sees = [&](bool there) {
        for (int i = 0; i < 100; ++i) {
            (void)edge.on_events();
            const auto networks = edge.networks();
            if ((std::find(networks.begin(), networks.end(), network) != networks.end()) == there) {
                return edge.announced().size() == (there ? 1U : 0U);
            }
            ::poll(nullptr, 0, 20);
        }
        return false;
    };
    CHECK(sees(true));
    link.peer.sh("ip link set eth0 down");
    CHECK(sees(false));
    CHECK(ours() == std::vector{kFour});
    link.peer.sh("ip link set eth0 up");
    CHECK(sees(true));
}

TEST_CASE("share: an announcement moves an address in a peer's cache, and a peer's announcement is heard as a claim") {
    Link link;
    // The peer knows both addresses by a MAC of somebody who is gone.
    link.peer.sh("ip neigh replace 10.77.0.200 lladdr 02:00:00:00:00:99 dev eth0 nud reachable; ip neigh replace fd77::200 lladdr 02:00:00:00:00:99 dev eth0 nud reachable");
    auto netlink = Netlink::open();
    REQUIRE(netlink.ok());
    const auto interfaces = *netlink->interfaces();
    const auto own = std::find_if(interfaces.begin(), interfaces.end(), [](const Interface& one) { return one.name == "to-peer"; });
    REQUIRE(own != interfaces.end());
    auto announcer = Announcer::open();
    REQUIRE(announcer.ok());
    announcer->keep({{kFour, own->index, own->mac}, {kSix, own->index, own->mac}}, Clock::now());
    for (int i = 0; i < 100; ++i) {
        (void)announcer->send_due(Clock::now());
        ::poll(nullptr, 0, 20);
    }
    CHECK(announcer->sent() >= 6);
    CHECK_FALSE(announcer->trouble().has_value());
    link.peer.sh("! ip neigh show | grep -q 02:00:00:00:00:99");
    CHECK(announcer->hear(Clock::now()).claims.empty());

    link.peer.run([&] {
        auto other_netlink = Netlink::open();
        REQUIRE(other_netlink.ok());
        const auto theirs = *other_netlink->interfaces();
        const auto eth0 = std::find_if(theirs.begin(), theirs.end(), [](const Interface& one) { return one.name == "eth0"; });
        auto other = Announcer::open();
        REQUIRE(other.ok());
        other->keep({{kFour, eth0->index, eth0->mac}}, Clock::now());
        (void)other->send_due(Clock::now());
        CHECK(wait_for_claims(*announcer) == std::set{kFour});
        other->keep({{kSix, eth0->index, eth0->mac}}, Clock::now());
        (void)other->send_due(Clock::now());
        CHECK(wait_for_claims(*announcer) == std::set{kSix});
        other->keep({{*IpAddress::parse("10.77.0.201"), eth0->index, eth0->mac}}, Clock::now());
        (void)other->send_due(Clock::now());
        ::poll(nullptr, 0, 100);
        CHECK(announcer->hear(Clock::now()).claims.empty());  // not ours
    });
}

TEST_CASE("share: who has an address is asked on the link, and whether the link works") {
    Link link;
    link.peer.sh("ip addr add 10.77.0.200/32 dev eth0; ip addr add fd77::200/128 dev eth0 nodad");
    lab::sh("ip neigh replace 10.77.0.2 lladdr 02:00:00:00:00:02 dev to-peer nud stale");  // a neighbour that the kernel knows
    auto opened = Edge::open({.bpf = false, .shared = true});
    REQUIRE(opened.ok());
    Edge& edge = **opened;
    auto announcer = Announcer::open();
    REQUIRE(announcer.ok());
    const auto places = edge.places({kFour, kSix});
    REQUIRE(places.size() == 2);
    const auto known = edge.neighbours_near(places);
    REQUIRE_FALSE(known.empty());
    struct Answers {
        std::set<IpAddress> claims;
        std::set<IpAddress> works;
    };
    const auto ask = [&](const std::vector<Announced>& others) {
        Answers answers;
        announcer->ask(places, others, Clock::now());
        for (int i = 0; i < 25; ++i) {
            const auto heard = announcer->hear(Clock::now());
            answers.claims.insert(heard.claims.begin(), heard.claims.end());
            answers.works.insert(heard.works.begin(), heard.works.end());
            ::poll(nullptr, 0, 20);
        }
        return answers;
    };
    const std::set<IpAddress> both = {kFour, kSix};
    CHECK(ask({}).claims == both);
    CHECK(ask(known).claims == both);  // now the one that answered is asked alone
    link.peer.sh("ip addr del 10.77.0.200/32 dev eth0; ip addr del fd77::200/128 dev eth0");
    (void)ask(known);
    const Answers silent = ask(known);
    CHECK(silent.claims.empty());
    CHECK(silent.works == both);
    CHECK(ask({}).works.empty());  // nobody was asked who is there
    link.peer.sh("ip link set eth0 down");
    CHECK(ask(known).works.empty());
    (void)edge.on_events();
    CHECK(edge.places({kFour, kSix}).empty());
}
