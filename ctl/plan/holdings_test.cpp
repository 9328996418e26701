// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/holdings.hpp"

#include "ctl/plan/test_holders.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using namespace penstock::plan::testing;

TEST_CASE("holdings: a node alone takes what is wanted at once, by one write each, and renews nothing of it") {
    Cluster world;
    const auto list = addresses(100);
    world.add("a", list);
    CHECK(world.time_to(list) <= 2 * kStep);
    world.run(milliseconds(30'000));
    CHECK(world.writes == 100);
    CHECK(world.all_held_once(list));
}

TEST_CASE("holdings: nodes that know each other share addresses out, and each is held by one") {
    Cluster world;
    const auto list = addresses(60);
    for (const char* name : {"a", "b", "c"}) {
        world.add(name, {});
    }
    world.run(milliseconds(8'000));
    for (auto& [name, node] : world.nodes) {
        node.holdings->want(list);
    }
    world.run(milliseconds(2'000), [&] {
        for (const IpAddress& address : list) {
            CHECK(world.holders(address) <= 1);
        }
    });
    CHECK(world.all_held_once(list));
    CHECK(world.writes == 60);
    for (const auto& [name, node] : world.nodes) {
        CHECK(node.held.size() >= 10);
    }
}

TEST_CASE("holdings: what a dead node had is with others within 3 s, and nothing else moves") {
    for (int offset = 0; offset < 20; ++offset) {
        Cluster world;
        const auto list = addresses(30);
        for (const char* name : {"a", "b", "c"}) {
            world.add(name, {});
        }
        world.run(milliseconds(8'000));
        for (auto& [name, node] : world.nodes) {
            node.holdings->want(list);
        }
        world.run(milliseconds(10'000) + offset * kStep);
        REQUIRE(world.all_held_once(list));
        const auto had = world.nodes["b"].held;
        const int moves = world.moves;
        world.nodes["b"].up = false;
        CHECK(world.time_to(list) <= milliseconds(2'600));
        CHECK(world.moves - moves == static_cast<int>(had.size()));
        CHECK(world.nodes["a"].held.size() + world.nodes["c"].held.size() == 30);
    }
}

TEST_CASE("holdings: an heir that lost one of its own renewals takes over within 3 s all the same") {
    for (int phase = 0; phase < 20; phase += 3) {
        for (int lost = 0; lost < 40; lost += 3) {
            Cluster world;
            const auto list = addresses(1);
            world.add("a", list);
            world.run(milliseconds(1'000) + phase * kStep);
            Node& b = world.add("b", list);
            world.run(milliseconds(7'000) + lost * kStep);
            REQUIRE(world.nodes["a"].held == list);
            b.loses = 1;
            world.run(milliseconds(1'000));
            world.nodes["a"].up = false;
            CHECK(world.time_to(list) <= milliseconds(3'000));
        }
    }
}

TEST_CASE("holdings: after two lost renewals the others have as long to be heard as nobody was, not more") {
    Cluster world;
    const auto list = addresses(1);
    world.add("a", list);
    world.run(milliseconds(1'500));
    Node& b = world.add("b", list);
    world.run(milliseconds(12'000));
    b.loses = 2;
    world.run(milliseconds(1'000));
    world.nodes["a"].up = false;
    CHECK(world.time_to(list) <= milliseconds(2'000 + 2 * 2'600));
}

TEST_CASE("holdings: a node that is new, or was cut off, follows a holder that dies soon after that") {
    for (const bool fresh : {false, true}) {
        for (int after = 1'350; after <= 6'000; after += 150) {
            Cluster world;
            const auto list = addresses(1);
            world.add("a", list);
            world.run(milliseconds(8'000));
            Node& b = world.add("b", list);
            if (!fresh) {
                world.run(milliseconds(10'000));
                b.cut_off = true;
                world.run(milliseconds(12'000));
                world.relist(b);
            }
            world.run(milliseconds(after));
            REQUIRE(world.nodes["a"].held == list);
            world.nodes["a"].up = false;
            INFO((fresh ? "new" : "back") << " for " << after << " ms");
            CHECK(world.time_to(list) <= milliseconds(2'600));
        }
    }
}

TEST_CASE("holdings: an API server that hangs for a while takes nothing from the living") {
    for (int hung = 750; hung <= 6'000; hung += 250) {
        for (int phase = 0; phase < 20; phase += 3) {
            Cluster world;
            const auto list = addresses(6);
            world.add("a", list);
            world.run(milliseconds(1'000) + phase * kStep);
            world.add("b", list);
            world.run(milliseconds(300));
            world.add("c", list);
            world.run(milliseconds(7'000));
            const int writes = world.writes;
            world.hangs = true;
            world.run(milliseconds(hung));
            world.hangs_no_more();
            world.run(milliseconds(7'000));
            INFO("hung for " << hung << " ms, phase " << phase);
            CHECK(world.writes == writes);
        }
    }
}

TEST_CASE("holdings: a node that leaves in order is followed at once") {
    Cluster world;
    const auto list = addresses(4);
    world.add("a", list);
    world.run(milliseconds(1'000));
    world.add("b", list);
    world.run(milliseconds(10'000));
    REQUIRE(world.nodes["a"].held.size() == 4);
    world.nodes["a"].facts.leaving = true;
    world.nodes["a"].renew = world.now;
    world.run(2 * kStep);
    CHECK(world.nodes["b"].held.size() == 4);
    CHECK(world.nodes["a"].held.empty());
}

TEST_CASE("holdings: a node that comes back gets its addresses only for the balance, late and one by one") {
    Cluster world;
    const auto list = addresses(10);
    world.add("a", list);
    world.run(milliseconds(1'000));
    world.add("b", list);
    world.run(Holdings::kSteady - milliseconds(5'000));
    CHECK(world.moves == 10);  // b has waited
    world.run(milliseconds(120'000));
    CHECK(world.all_held_once(list));
    const std::size_t balanced = world.nodes["b"].held.size();
    CHECK(balanced >= 1);
    CHECK(balanced <= 5);
    CHECK(world.moves == 10 + static_cast<int>(balanced));
    // It goes and comes again and again: each time they move away once, and none comes back before it is steady.
    const int moves = world.moves;
    for (int i = 0; i < 5; ++i) {
        world.nodes["b"].up = false;
        world.run(milliseconds(5'000));
        world.start(world.nodes["b"]);
        world.run(milliseconds(20'000));
    }
    CHECK(world.moves == moves + static_cast<int>(balanced));
}

TEST_CASE("holdings: with one address and two nodes nothing ever moves back") {
    Cluster world;
    const auto list = addresses(1);
    world.add("a", list);
    world.run(milliseconds(1'000));
    world.add("b", list);
    world.run(milliseconds(400'000));
    CHECK(world.moves == 1);
}

TEST_CASE("holdings: without the API server everybody keeps what he has, and nobody is judged when it comes back") {
    Cluster world;
    const auto list = addresses(20);
    world.add("a", {});
    world.add("b", {});
    world.run(milliseconds(8'000));
    for (auto& [name, node] : world.nodes) {
        node.holdings->want(list);
    }
    world.run(milliseconds(8'000));
    REQUIRE(world.all_held_once(list));
    const int writes = world.writes;
    for (auto& [name, node] : world.nodes) {
        node.cut_off = true;
    }
    world.run(milliseconds(60'000), [&] { CHECK(world.all_held_once(list)); });
    world.relist(world.nodes["a"]);  // four seconds before b
    world.run(milliseconds(4'000), [&] { CHECK(world.all_held_once(list)); });
    world.relist(world.nodes["b"]);
    world.run(milliseconds(20'000), [&] { CHECK(world.all_held_once(list)); });
    CHECK(world.writes == writes);
}

TEST_CASE("holdings: an address goes to the node whose own it is, else to one in its network") {
    Cluster world;
    const auto list = std::set{ip("192.0.2.9"), ip("198.51.100.9"), ip("2001:db8::9")};
    world.add("a", list, {.networks = {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}}});
    world.add("b", list, {.networks = {{ip("198.51.100.9"), 32}, {ip("192.0.2.2"), 28}}});
    world.add("c", list, {.networks = {{ip("198.51.100.1"), 24}}});
    world.run(milliseconds(15'000));
    CHECK(world.all_held_once(list));
    CHECK(world.nodes["b"].held.contains(ip("198.51.100.9")));
    CHECK(world.nodes["a"].held.contains(ip("2001:db8::9")));
    CHECK(world.nodes["c"].held.empty());
    CHECK(Network{ip("10.0.0.1"), 8}.contains(ip("10.255.0.1")));
    CHECK_FALSE(Network{ip("10.0.0.1"), 8}.contains(ip("11.0.0.1")));
    CHECK_FALSE(Network{ip("10.0.0.1"), 0}.contains(ip("11.0.0.1")));
    CHECK_FALSE(Network{ip("::1"), 1}.contains(ip("10.0.0.1")));
}

TEST_CASE("holdings: what nobody wants any more loses its Lease, also that of a dead holder; before it is known what is wanted, nothing does") {
    Cluster world;
    const auto list = addresses(2);
    Node& a = world.add("a", list);
    world.run(milliseconds(1'000));
    a.holdings->want({*list.begin()});
    world.run(milliseconds(500));
    CHECK(world.leases.size() == 1);
    world.leases[ip("192.0.2.77")] = {"long-gone", "7"};
    a.holdings->saw_lease(ip("192.0.2.77"), world.leases[ip("192.0.2.77")]);
    world.run(milliseconds(6'000));
    CHECK(world.leases.size() == 1);

    Holdings fresh("a");
    fresh.saw_lease(*list.begin(), {"a", "1"});
    fresh.saw_node("a", NodeSeen{}, world.now);
    CHECK(fresh.decide(world.now).writes.empty());
}

TEST_CASE("holdings: before a node knows what is wanted it has what its Leases say, no more and no less") {
    const Time now{std::chrono::hours(1)};
    Holdings fresh("a");
    fresh.saw_node("a", NodeSeen{}, now);
    fresh.saw_node("b", NodeSeen{}, now);
    fresh.saw_lease(ip("192.0.2.1"), {"a", "1"});
    fresh.saw_lease(ip("192.0.2.2"), {"b", "2"});
    CHECK(fresh.decide(now).held == std::set{ip("192.0.2.1")});
    fresh.saw_lease(ip("192.0.2.1"), {"b", "3"});  // followed while it began
    CHECK(fresh.decide(now).held.empty());
    fresh.saw_lease(ip("192.0.2.1"), {"a", "4"});
    fresh.want({ip("192.0.2.2")});
    CHECK(fresh.decide(now).held.empty());
}

TEST_CASE("holdings: an address moves at once to a node that brings its network") {
    Cluster world;
    const auto list = std::set{ip("192.0.2.9")};
    world.add("c", list, {.networks = {{ip("198.51.100.1"), 24}}});
    world.run(milliseconds(15'000));
    CHECK(world.nodes["c"].held == list);
    world.add("a", list, {.networks = {{ip("192.0.2.1"), 24}}});
    world.run(milliseconds(15'000));
    CHECK(world.all_held_once(list));
    CHECK(world.nodes["a"].held == list);
}

TEST_CASE("holdings: a write that was refused is tried again, not at once, and one at a time") {
    Holdings one("a");
    const IpAddress address = ip("192.0.2.1");
    const Time now{std::chrono::hours(1)};
    one.want({address});
    one.saw_node("a", NodeSeen{}, now);
    const auto first = one.decide(now);
    REQUIRE(first.writes.size() == 1);
    CHECK(first.writes[0] == LeaseWrite{What::create, address, "a", ""});
    CHECK(one.decide(now).writes.empty());
    one.wrote(address, false, now);
    const auto second = one.decide(now);
    CHECK(second.writes.empty());
    REQUIRE(second.again.has_value());
    CHECK(*second.again == now + Holdings::kWriteAgain);
    const Time later = now + Holdings::kWriteAgain;
    CHECK(one.decide(later).writes.size() == 1);
    // What the server asks for counts, but nobody has the address meanwhile.
    one.wrote(address, false, later, milliseconds(1'200));
    CHECK(*one.decide(later).again == later + milliseconds(1'200));
    CHECK(one.decide(later + milliseconds(1'200)).writes.size() == 1);
    one.saw_node("a", NodeSeen{}, later + milliseconds(1'200));
    one.wrote(address, false, later + milliseconds(1'200), milliseconds(600'000));
    CHECK(one.decide(later + milliseconds(1'200) + Holdings::kWriteAgainMax).writes.size() == 1);
}

TEST_CASE("holdings: a clock that jumps ahead takes nothing from the living") {
    Cluster world;
    const auto list = addresses(1);
    world.add("a", list);
    world.run(milliseconds(1'000));
    Node& b = world.add("b", list);
    world.run(milliseconds(10'000));
    const auto decision = b.holdings->decide(world.now + std::chrono::hours(1));  // suspended, or a loop that hung
    CHECK(decision.writes.empty());
    world.now += std::chrono::hours(1);
    world.run(milliseconds(20'000));
    CHECK(world.moves == 1);
}

TEST_CASE("holdings: a holder whose link is gone hands over at once, before its own Lease tells, and also when it is new") {
    const bool fresh = GENERATE(false, true);
    Cluster world;
    const auto list = std::set{ip("192.0.2.9"), ip("2001:db8::9")};
    const NodeSeen facts{.networks = {{ip("192.0.2.1"), 24}, {ip("2001:db8::1"), 64}}};
    Node& a = world.add("a", list, facts);
    world.run(milliseconds(1'000));
    world.add("b", list, facts);
    world.run(milliseconds(10'000));
    if (fresh) {
        world.start(a);
        world.run(milliseconds(1'500));
    }
    REQUIRE(a.held == list);
    a.holdings->here({{ip("192.0.2.1"), 24}});
    world.run(milliseconds(300));
    CHECK(a.held == std::set{ip("192.0.2.9")});
    CHECK(world.nodes["b"].held == std::set{ip("2001:db8::9")});
    a.facts.networks.clear();
    a.holdings->here({});
    world.run(milliseconds(1'500));
    CHECK(world.nodes["b"].held == list);
    // Nobody has a link: nothing moves.
    world.nodes["b"].facts.networks.clear();
    world.nodes["b"].holdings->here({});
    world.run(milliseconds(10'000));
    CHECK(world.nodes["b"].held == list);
}

TEST_CASE("holdings: an address that could not be put is handed over, once a minute if nobody can") {
    Cluster world;
    const auto list = addresses(1);
    const IpAddress address = *list.begin();
    Node& a = world.add("a", list);
    world.run(milliseconds(10'000));
    a.holdings->refused(address, world.now);
    world.run(milliseconds(1'000));
    CHECK(a.held == list);  // alone, it tries again and again
    Node& b = world.add("b", list);
    world.run(milliseconds(10'000));
    CHECK(b.held == list);
    const int moves = world.moves;
    world.run(milliseconds(120'000), [&] {
        for (Node* node : {&a, &b}) {
            if (!node->held.empty()) {
                node->holdings->refused(address, world.now);
            }
        }
    });
    CHECK(world.moves - moves >= 2);
    CHECK(world.moves - moves <= 5);
    CHECK(world.all_held_once(list));
}
