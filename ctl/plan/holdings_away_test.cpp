// SPDX-License-Identifier: Apache-2.0
// Holders that die while the API server is away: who stands in for them, and who does not.
#include <random>

#include "ctl/plan/test_holders.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using namespace penstock::plan::testing;

namespace {

constexpr milliseconds kTaken{3'000};

NodeSeen on_link(int number) { return {.networks = {{ip(("192.0.2." + std::to_string(200 + number)).c_str()), 24}}}; }

// Nodes a, b, ... that share `list` out and have been in contact for a while.
struct Link : Cluster {
    std::set<IpAddress> list;

    explicit Link(int count, int many = 6) : list(addresses(many)) {
        for (int i = 0; i < count; ++i) {
            add(std::string(1, static_cast<char>('a' + i)), {}, on_link(i));
            run(milliseconds(250));
        }
        run(milliseconds(6'000));
        for (auto& [name, node] : nodes) {
            node.wanted = list;
            node.holdings->want(list);
        }
        run(milliseconds(2'000));
        REQUIRE(all_held_once(list));
    }
    void api(bool there) {
        for (auto& [name, node] : nodes) {
            if (!there) {
                node.cut_off = true;
            } else if (node.up && node.cut_off) {
                relist(node);
            }
        }
    }
    Node& holder(const IpAddress& address) {
        for (auto& [name, node] : nodes) {
            if (node.up && node.held.contains(address)) {
                return node;
            }
        }
        FAIL("nobody has it");
        return nodes.begin()->second;
    }
    // Of what is reached from the gateway's side.
    [[nodiscard]] int holders_at(int side, const IpAddress& address) const {
        int count = 0;
        for (const auto& [name, node] : nodes) {
            count += node.up && node.side == side && node.held.contains(address) ? 1 : 0;
        }
        return count;
    }
    [[nodiscard]] int stood_in() const {
        int count = 0;
        for (const auto& [name, node] : nodes) {
            count += node.stood_in;
        }
        return count;
    }
};

}  // namespace

TEST_CASE("holdings away: what a node had that dies while the API server is away is with others within 3 s; the Lease follows") {
    for (const int count : {2, 3}) {
        for (int offset = 0; offset < 20; offset += 3) {
            Link world(count);
            world.api(false);
            world.run(milliseconds(30'000) + offset * kStep, [&] { CHECK(world.all_held_once(world.list)); });
            CHECK(world.stood_in() == 0);
            const auto had = world.nodes["b"].held;
            const int writes = world.writes;
            world.nodes["b"].up = false;
            CHECK(world.time_to(world.list) <= kTaken);
            CHECK(world.stood_in() == static_cast<int>(had.size()));
            world.run(milliseconds(60'000), [&] { CHECK(world.all_held_once(world.list)); });
            CHECK(world.writes == writes);
            const auto held = world.nodes["a"].held;
            world.api(true);
            world.run(milliseconds(20'000), [&] { CHECK(world.all_held_once(world.list)); });
            CHECK(world.writes - writes == static_cast<int>(had.size()));
            CHECK(world.nodes["a"].held == held);
            for (const IpAddress& address : world.list) {
                CHECK(world.leases[address].holder == world.holder(address).name);
            }
        }
    }
}

TEST_CASE("holdings away: a node that takes the API server along is followed all the same, and not much later") {
    for (int offset = 0; offset < 20; offset += 2) {
        Link world(2);
        world.run(offset * kStep);
        world.api(false);
        world.nodes["b"].up = false;
        CHECK(world.time_to(world.list) <= milliseconds(3'500));
    }
}

TEST_CASE("holdings away: the second heir follows when the first has died, too") {
    Link world(4, 12);
    world.api(false);
    world.run(milliseconds(10'000));
    world.nodes["b"].up = false;
    world.nodes["c"].up = false;
    CHECK(world.time_to(world.list) <= milliseconds(9'000));
    CHECK(world.nodes["a"].held.size() + world.nodes["d"].held.size() == world.list.size());
}

TEST_CASE("holdings away: a node whose own link is broken takes nothing, whether it knows or not") {
    for (const bool knows : {false, true}) {
        Link world(3);
        world.api(false);
        world.run(milliseconds(5'000));
        Node& b = world.nodes["b"];
        const auto had = b.held;
        REQUIRE_FALSE(had.empty());
        b.side = 1;
        if (knows) {
            b.holdings->here({});
        }
        world.run(milliseconds(10'000));
        CHECK(b.stood_in == 0);
        CHECK(b.held == had);
        for (const IpAddress& address : world.list) {
            CHECK(world.holders_at(0, address) == 1);
        }
        // Its link is back: it tells what it has, or is heard by who stands in.
        b.side = 0;
        b.holdings->here(b.facts.networks);
        world.run(milliseconds(4'000));
        CHECK(world.all_held_once(world.list));
    }
}

TEST_CASE("holdings away: where nobody else answers on the link nothing follows from silence") {
    Link world(2);
    world.gateway = false;
    world.api(false);
    world.run(milliseconds(5'000));
    world.nodes["b"].up = false;
    world.run(milliseconds(20'000));
    CHECK(world.stood_in() == 0);
    world.gateway = true;
    CHECK(world.time_to(world.list) <= kTaken);
}

TEST_CASE("holdings away: a node in another network, or one that knows of no holder's network, asks for nothing") {
    Cluster world;
    const auto list = addresses(1);
    Node& a = world.add("a", list, on_link(0));
    world.run(milliseconds(1'000));
    Node& b = world.add("b", list, {.networks = {{ip("198.51.100.1"), 24}}});
    world.run(milliseconds(8'000));
    REQUIRE(a.held == list);
    a.cut_off = b.cut_off = true;
    a.up = false;
    world.run(milliseconds(20'000));
    CHECK(b.held.empty());
    CHECK(b.asked_for.empty());
}

TEST_CASE("holdings away: who has it by its Lease and comes back in contact has it again, and one that stood in steps back") {
    Link world(2, 1);
    const IpAddress address = *world.list.begin();
    Node& a = world.holder(address);
    Node& b = a.name == "a" ? world.nodes["b"] : world.nodes["a"];
    world.api(false);
    world.run(milliseconds(5'000));
    a.side = 1;  // its link only
    world.run(milliseconds(5'000));
    CHECK(a.held == world.list);
    CHECK(b.held == world.list);
    a.side = 0;
    world.run(milliseconds(1'500));
    CHECK(a.held == world.list);
    CHECK(b.held.empty());
    const int writes = world.writes;
    world.api(true);
    world.run(milliseconds(20'000), [&] { CHECK(world.all_held_once(world.list)); });
    CHECK(world.writes == writes);
}

TEST_CASE("holdings away: a holder that left an address to a claim takes it when the claimer dies") {
    Link world(2, 1);
    const IpAddress address = *world.list.begin();
    Node& a = world.holder(address);
    Node& b = a.name == "a" ? world.nodes["b"] : world.nodes["a"];
    a.cut_off = true;
    world.run(milliseconds(6'000));
    REQUIRE(b.held == world.list);
    REQUIRE(a.held.empty());
    b.cut_off = true;
    world.run(milliseconds(20'000), [&] { CHECK(world.all_held_once(world.list)); });
    b.up = false;
    CHECK(world.time_to(world.list) <= kTaken);
    CHECK(a.held == world.list);
}

TEST_CASE("holdings away: a loop that hung and a clock that jumped count no silence") {
    Link world(2);
    world.api(false);
    world.run(milliseconds(5'000));
    Node& a = world.nodes["a"];
    const auto held = a.held;
    world.gateway = true;
    for (int i = 0; i < 10; ++i) {
        world.now += milliseconds(1'700);
        for (const IpAddress& address : world.list) {
            a.holdings->link_works({address});
        }
        CHECK(a.holdings->decide(world.now).held == held);
    }
}

// Machines die and come back, links are cut, the API server goes and returns. An address is without a node that the clients reach for 3 s at
// most after the last of such events, while a node is there that could have it and has heard the API server since it began; and two on one
// side of the link have it for a moment only.
TEST_CASE("holdings away: whatever happens, an address that can be had is had, and by one") {
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto pick = [&](int from, int to) { return std::uniform_int_distribution(from, to)(random); };
    for (int run = 0; run < 12; ++run) {
        Link world(pick(2, 3), 3);
        std::set<std::string> began_away;
        bool api = true;
        for (int event = 0; event < 12; ++event) {
            auto one = std::next(world.nodes.begin(), pick(0, static_cast<int>(world.nodes.size()) - 1));
            Node& node = one->second;
            switch (pick(0, 3)) {
                case 0:
                    node.up = !node.up;
                    if (node.up) {
                        node.cut_off = !api;
                        world.start(node);
                        if (!api) {
                            began_away.insert(node.name);
                        }
                    }
                    break;
                case 1: node.side = node.side == 0 ? 1 + static_cast<int>(std::distance(world.nodes.begin(), one)) : 0; break;
                default:
                    api = !api;
                    world.api(api);
                    if (api) {
                        began_away.clear();
                    }
                    break;
            }
            const Time begin = world.now;
            std::map<IpAddress, Time> once;
            const bool could = std::any_of(world.nodes.begin(), world.nodes.end(), [&](const auto& other) {
                return other.second.up && other.second.side == 0 && !began_away.contains(other.first);
            });
            // In contact a node without a link keeps its Lease until it tells of that, and after an absence everybody has 5 s.
            const bool all_linked = std::all_of(world.nodes.begin(), world.nodes.end(), [](const auto& other) { return !other.second.up || other.second.side == 0; });
            const milliseconds most = api ? milliseconds(9'000) : milliseconds(4'000);
            world.run(milliseconds(pick(8'000, 14'000)), [&] {
                for (const IpAddress& address : world.list) {
                    const int holders = world.holders_at(0, address);
                    if (holders == 1) {
                        once[address] = world.now;
                    }
                    const Time since = once.contains(address) ? once[address] : begin;
                    if (could && (!api || all_linked) && world.now - since > most) {
                        FAIL_CHECK("event " << event << " of run " << run << ": " << holders << " have " << address.text() << (api ? ", API there" : ", API away"));
                        once[address] = world.now;
                    }
                }
            });
        }
    }
}
