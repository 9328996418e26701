// SPDX-License-Identifier: Apache-2.0
// Who claims an address on the link that a node has: another heir, or a stranger.
#include "ctl/plan/holdings.hpp"

#include "ctl/plan/test_holders.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using namespace penstock::plan::testing;

TEST_CASE("holdings: a holder cut off from the API server steps back when its follower claims the address") {
    Cluster world;
    const auto list = addresses(1);
    world.add("a", list);
    world.run(milliseconds(1'000));
    world.add("b", list);
    world.run(milliseconds(10'000));
    world.nodes["a"].cut_off = true;
    world.run(milliseconds(4'000));
    CHECK(world.nodes["b"].held.size() == 1);
    CHECK(world.nodes["a"].held.empty());
    CHECK(world.nodes["a"].yielded.size() == 1);
    // Back in contact, it hears who holds it.
    world.relist(world.nodes["a"]);
    world.run(milliseconds(20'000));
    CHECK(world.nodes["b"].held.size() == 1);
    CHECK(world.nodes["a"].held.empty());
    CHECK(world.moves == 2);
}

TEST_CASE("holdings: an address left to a claim while nobody could ask comes back when the claimer is silent") {
    Cluster world;
    const auto list = addresses(1);
    const IpAddress address = *list.begin();
    Node& a = world.add("a", list);
    world.run(milliseconds(10'000));
    a.cut_off = true;
    world.run(milliseconds(5'000));
    a.holdings->claimed(address, world.now);
    world.run(kStep);
    CHECK(a.held.empty());
    world.run(milliseconds(60'000));
    a.holdings->claimed(address, world.now);  // it is still there
    world.run(milliseconds(60'000));
    CHECK(a.held.empty());
    world.run(milliseconds(80'000));
    CHECK(a.held.size() == 1);
}

TEST_CASE("holdings: a stranger's claim is answered, not obeyed, while the Lease is ours, and not more often than once a second") {
    Cluster world;
    const auto list = addresses(1);
    const IpAddress address = *list.begin();
    Node& a = world.add("a", list);
    world.run(milliseconds(10'000));
    const Time begin = world.now;
    world.run(milliseconds(10'000), [&] {
        a.holdings->claimed(address, world.now);
        CHECK(a.held.size() == 1);
    });
    CHECK(a.defended >= 8);
    CHECK(a.defended <= (world.now - begin) / Holdings::kDefend + 1);
    CHECK(a.yielded.empty());
}

TEST_CASE("holdings: a claim that comes before the news of the Lease costs the address no second holder for long") {
    Cluster world;
    const auto list = addresses(1);
    const IpAddress address = *list.begin();
    Node& a = world.add("a", list);
    world.run(milliseconds(10'000));
    a.holdings->claimed(address, world.now);  // b took it: the watch tells a moment later
    a.holdings->saw_lease(address, {"b", "99"});
    CHECK(a.holdings->decide(world.now).held.empty());
    a.holdings->saw_lease(address, {"a", "100"});
    const auto decision = a.holdings->decide(world.now);
    CHECK(decision.held.size() == 1);  // and the old claim is forgotten
    CHECK(decision.defend.empty());
}
