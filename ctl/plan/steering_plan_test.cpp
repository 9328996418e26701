// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/steering_plan.hpp"

#include "ctl/plan/test_steering.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using namespace penstock::plan::testing;

TEST_CASE("plan: an empty data path is filled from the back to the front") {
    World world;
    const auto steps = world.go(Builder::quickstart().steering);
    const auto index = [&](const std::string& text) { return std::find(steps.begin(), steps.end(), text) - steps.begin(); };
    const auto last = static_cast<std::ptrdiff_t>(steps.size());
    CHECK(index("write pst_backends[1 10.1.0.1:80]") < index("write pst_slots[0+251]"));
    CHECK(index("write pst_slots[0+251]") < index("write pst_services[1]"));
    CHECK(index("write pst_services[1]") < index("write pst_vips[192.0.2.1:80/tcp]"));
    CHECK(index("write pst_vips[192.0.2.1:80/tcp]") < index("write pst_vips[192.0.2.1:443/tcp]"));
    CHECK(index("write pst_vips[[2001:db8::1]:53/tcp]") < last);
    CHECK(world.tables.passes_filter(ip("192.0.2.1"), PST_FILTER_VIP));
    CHECK(world.tables.passes_filter(ip("10.0.0.1"), PST_FILTER_NAT));
    CHECK(ids_of(world.tables, 1) == std::set<std::uint32_t>{1, 2});
}

TEST_CASE("plan: what is there already needs no step, also for a daemon that starts again") {
    World world;
    world.go(Builder::quickstart().steering);
    CHECK(world.plan(Builder::quickstart().steering).empty());
    world.state = {};
    CHECK(world.plan(Builder::quickstart().steering).empty());
}

TEST_CASE("plan: a changed value is one put and no delete") {
    World world;
    Builder b = Builder::quickstart();
    world.go(b.steering);
    b.steering.vips[2].listener = 9;
    CHECK(world.go(b.steering) == std::vector<std::string>{"write pst_vips[192.0.2.1:443/tcp]"});
    ReachTable reach = reach_of(b.steering);
    reach[ip("10.1.0.2")].next_hop = ip("10.0.0.254");
    const auto steps = world.plan(b.steering, reach);
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].text() == "write pst_backends[2 10.1.0.2:80]");
}

TEST_CASE("plan: no VIP leads past a program of this node that has the port, and one that leads already goes") {
    World world;
    const compile::Steering steering = Builder::quickstart().steering;
    const std::set<VipKey> taken{{steering.vips[0].address, static_cast<std::uint8_t>(steering.vips[0].transport)}};
    const auto go = [&](const std::set<VipKey>* places) {
        Observed observed = world.tables.observed();
        observed.taken = places;
        auto desired = desire(steering, reach_of(steering), observed, world.state, 0);
        REQUIRE(desired.ok());
        return desired->vips.contains(*taken.begin());
    };
    CHECK(go(nullptr));
    CHECK_FALSE(go(&taken));
    CHECK(go(nullptr));
}

TEST_CASE("plan: what goes away goes in the finishing phase, front first") {
    World world;
    world.go(Builder::quickstart().steering);
    const auto steps = world.plan({});
    std::vector<std::string> texts;
    for (const Step& step : steps) {
        CHECK(step.phase == Phase::finish);
        if (!std::holds_alternative<PutFilter>(step.what)) {
            texts.push_back(step.text());
        }
    }
    CHECK(texts == std::vector<std::string>{"delete pst_vips[192.0.2.1:80/tcp]", "delete pst_vips[192.0.2.1:443/tcp]",
                                            "delete pst_vips[[2001:db8::1]:53/tcp]", "delete pst_services[1]", "delete pst_services[2]",
                                            "delete pst_backends[1 10.1.0.1:80]", "delete pst_backends[2 10.1.0.2:80]",
                                            "delete pst_backends[3 [fd01::1]:53]"});
    CHECK(std::holds_alternative<PutFilter>(steps.front().what));
    CHECK(std::holds_alternative<PutFilter>(steps.back().what));
}

TEST_CASE("plan: a VIP goes to its service before, and to the worker after the worker was told") {
    World world;
    Builder b = Builder::quickstart();
    world.go(b.steering);
    Builder other;
    other.service(1, {{1, "10.1.0.1:80"}, {2, "10.1.0.2:80"}});
    other.vip("192.0.2.1:443", 1, 3);
    other.vip("192.0.2.1:80", 0);
    for (const Step& step : world.plan(other.steering)) {
        if (const auto* vip = std::get_if<PutVip>(&step.what)) {
            CHECK(step.phase == (vip->vip.kind == PST_VIP_SERVICE ? Phase::prepare : Phase::finish));
        }
    }
}

TEST_CASE("plan: a changed table gets a new extent and a higher generation; the old one is free again after the grace period") {
    World world;
    Builder b;
    b.service(1, {{1, "10.1.0.1:80"}});
    b.vip("192.0.2.1:80", 1);
    world.go(b.steering);
    const pst_service_word_t first = world.tables.services[1];
    b.steering.services[0].backends.push_back({.backend = 2, .weight = 1});
    b.steering.backends.push_back({.id = 2, .service = 1, .endpoint = *Endpoint::parse("10.1.0.2:80")});
    world.go(b.steering);
    const pst_service_word_t second = world.tables.services[1];
    CHECK(pst_service_generation(second) == pst_service_generation(first) + 1);
    CHECK(pst_service_offset(second) != pst_service_offset(first));
    const auto change_weight = [&](std::uint32_t weight) {
        b.steering.services[0].backends[0].weight = weight;
        world.go(b.steering);
        return pst_service_offset(world.tables.services[1]);
    };
    CHECK(change_weight(2) != pst_service_offset(first));  // the plan that sees the change retires it
    world.now_ms += State::kGraceMs;
    CHECK(change_weight(3) == pst_service_offset(first));
}

TEST_CASE("plan: a draining backend keeps its record and loses its slots") {
    World world;
    Builder b = Builder::quickstart();
    world.go(b.steering);
    b.steering.services[0].backends[0].draining = true;
    world.go(b.steering);
    CHECK(world.tables.backends[1].flags == (PST_BACKEND_READY | PST_BACKEND_NO_NEW));
    CHECK(ids_of(world.tables, 1) == std::set<std::uint32_t>{2});
    b.steering.services[0].backends[0].draining = false;
    world.go(b.steering);
    CHECK(ids_of(world.tables, 1) == std::set<std::uint32_t>{1, 2});
}

TEST_CASE("plan: a backend that cannot be reached gets no new flows as long as another can") {
    World world;
    const Builder b = Builder::quickstart();
    ReachTable reach = reach_of(b.steering);
    reach.erase(ip("10.1.0.1"));
    for (const Step& step : world.plan(b.steering, reach)) {
        world.tables.write(step);
    }
    CHECK(ids_of(world.tables, 1) == std::set<std::uint32_t>{2});
    CHECK(world.tables.backends[1].exit == PST_EXIT_NONE);
    reach.erase(ip("10.1.0.2"));
    for (const Step& step : world.plan(b.steering, reach)) {
        world.tables.write(step);
    }
    CHECK(ids_of(world.tables, 1) == std::set<std::uint32_t>{1, 2});
}

TEST_CASE("plan: an id that comes back with the same endpoint keeps its generation, with another it is raised") {
    World world;
    Builder b;
    b.service(1, {{1, "10.1.0.1:80"}});
    b.vip("192.0.2.1:80", 1);
    world.go(b.steering);
    world.go({});
    CHECK(world.tables.backends[1].flags == 0);
    world.go(b.steering);
    CHECK(world.tables.backends[1].generation == 0);
    world.go({});
    b.steering.backends[0].endpoint = *Endpoint::parse("10.1.0.9:80");
    const auto steps = world.plan(b.steering);
    const auto found = std::find_if(steps.begin(), steps.end(), [](const Step& step) { return std::holds_alternative<PutBackend>(step.what); });
    REQUIRE(found != steps.end());
    CHECK(std::get<PutBackend>(found->what).zero_counts);
    CHECK(std::get<PutBackend>(found->what).backend.generation == 1);
}

TEST_CASE("plan: ids that change hands between services never lead a packet to the wrong one") {
    World world;
    Builder b;
    b.service(1, {{1, "10.1.0.1:80"}, {2, "10.1.0.2:80"}});
    b.service(2, {{3, "10.2.0.1:80"}, {4, "10.2.0.2:80"}});
    b.vip("192.0.2.1:80", 1);
    b.vip("192.0.2.1:81", 2);
    world.go(b.steering);
    Builder swapped;
    swapped.service(1, {{3, "10.1.0.1:80"}, {2, "10.1.0.2:80"}});
    swapped.service(2, {{1, "10.2.0.1:80"}, {4, "10.2.0.2:80"}});
    swapped.vip("192.0.2.1:80", 1);
    swapped.vip("192.0.2.1:81", 2);
    world.go(swapped.steering, true);
    world.tables.check();
    CHECK(world.plan(swapped.steering).empty());
    // One that only hands over keeps its backends all the time.
    Builder handed;
    handed.service(1, {{2, "10.1.0.2:80"}});
    handed.service(2, {{1, "10.2.0.1:80"}, {3, "10.2.0.3:80"}, {4, "10.2.0.2:80"}});
    handed.vip("192.0.2.1:80", 1);
    handed.vip("192.0.2.1:81", 2);
    world.go(handed.steering);
}

TEST_CASE("plan: what does not fit is an error that names object and limit, before anything is written") {
    struct Row {
        const char* what;
        std::function<void(Builder&)> spoil;
        std::function<void(Tables&)> shrink;
        std::string says;
    };
    const Row rows[] = {
        {"vips", [](Builder&) {}, [](Tables& t) { t.vips_max = 2; }, "pst_vips for Gateway/default/edge/l3"},
        {"services", [](Builder& b) { b.service(kServices, {{9, "10.9.0.1:80"}}); }, [](Tables&) {}, "pst_services for TCPRoute/default/r64"},
        {"backends", [](Builder& b) { b.service(9, {{kBackends, "10.9.0.1:80"}}); }, [](Tables&) {}, "pst_backends for 10.9.0.1:80"},
        {"slots", [](Builder&) {}, [](Tables& t) { t.slots.resize(256); }, "pst_slots for TCPRoute/default/r2"},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        World world;
        Builder b = Builder::quickstart();
        row.spoil(b);
        row.shrink(world.tables);
        const auto desired = desire(b.steering, reach_of(b.steering), world.tables.observed(), world.state, 0);
        REQUIRE_FALSE(desired.ok());
        CHECK(desired.error().code == Errc::limit);
        CHECK(desired.error().what.find(row.says) != std::string::npos);
        CHECK_FALSE(desired.error().hint.empty());
    }
}

TEST_CASE("plan: a plan that stopped half-way is finished by the next") {
    const Builder b = Builder::quickstart();
    const std::size_t all = World().plan(b.steering).size();
    for (std::size_t stop = 0; stop < all; ++stop) {
        World world;
        auto steps = world.plan(b.steering);
        for (std::size_t i = 0; i < stop; ++i) {
            world.tables.write(steps[i]);
        }
        world.go(b.steering);
        CHECK(world.plan(b.steering).empty());
    }
}
