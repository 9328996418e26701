// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "ctl/plan/test_steering.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using namespace penstock::plan::testing;

namespace {

// An edge that lives: routes and endpoints come and go, ids as compile gives them (in a circle).
class RandomEdge {
public:
    explicit RandomEdge(unsigned seed) : random_(seed) {}

    compile::Steering next() {
        for (int i = 0; i < 3; ++i) {
            edit();
        }
        Builder b;
        for (const auto& [id, endpoints] : services_) {
            std::vector<std::pair<std::uint32_t, std::string>> list;
            for (const int endpoint : endpoints) {
                list.emplace_back(backend_id(id, endpoint), "10.1." + std::to_string(id) + "." + std::to_string(endpoint) + ":80");
            }
            std::sort(list.begin(), list.end());
            b.service(id, list);
            b.vip("192.0.2.1:" + std::to_string(id), random_() % 8 == 0 ? 0 : id, id);
        }
        std::sort(b.steering.backends.begin(), b.steering.backends.end(), [](const auto& x, const auto& y) { return x.id < y.id; });
        return b.steering;
    }

private:
    void edit() {
        const auto id = static_cast<std::uint16_t>(1 + random_() % 12);
        std::set<int>& endpoints = services_[id];
        const int endpoint = static_cast<int>(1 + random_() % 6);
        if (!endpoints.erase(endpoint)) {
            endpoints.insert(endpoint);
        }
        if (endpoints.empty() || random_() % 10 == 0) {
            services_.erase(id);
        }
    }
    // Numbers are never given twice here; handing over has a test of its own.
    std::uint32_t backend_id(int service, int endpoint) {
        const auto [place, added] = ids_.try_emplace({service, endpoint}, static_cast<std::uint32_t>(ids_.size() + 1));
        return place->second;
    }

    std::mt19937 random_;
    std::map<std::uint16_t, std::set<int>> services_;
    std::map<std::pair<int, int>, std::uint32_t> ids_;
};

}  // namespace

TEST_CASE("plan: after every step of random edits each VIP leads to a whole service of its own") {
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    RandomEdge edge(seed);
    std::mt19937 random(seed + 1);
    World world;
    for (int edit = 0; edit < 150; ++edit) {
        const compile::Steering steering = edge.next();
        const auto steps = world.plan(steering);
        // Now and then something stops the plan, or the daemon is killed.
        const std::size_t stop = random() % 5 == 0 ? random() % (steps.size() + 1) : steps.size();
        for (std::size_t i = 0; i < stop; ++i) {
            world.tables.write(steps[i]);
            world.tables.check();
        }
        if (random() % 10 == 0) {
            world.state = {};
        }
        if (stop == steps.size()) {
            REQUIRE(world.plan(steering).empty());
        }
    }
}
