// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/balancer.hpp"

#include <map>
#include <memory>

#include "tools/test/catch.hpp"
#include "userspace/proxy/shared_page.hpp"

using namespace penstock::proxy;

namespace {
std::map<std::uint16_t, int> shares(const std::vector<std::uint16_t>& cycle) {
    std::map<std::uint16_t, int> result;
    for (const std::uint16_t choice : cycle) {
        ++result[choice];
    }
    return result;
}
std::vector<std::uint16_t> cycle_of(std::vector<std::uint32_t> weights) { return weighted_cycle(weights); }
}  // namespace

TEST_CASE("balancer: a cycle has every choice by its weight, spread evenly") {
    CHECK(cycle_of({}).empty());
    CHECK(cycle_of({0, 0}).empty());
    CHECK(cycle_of({7}) == std::vector<std::uint16_t>{0});
    CHECK(cycle_of({50, 50}) == std::vector<std::uint16_t>{0, 1});
    CHECK(cycle_of({0, 3, 0}) == std::vector<std::uint16_t>{1});
    CHECK(cycle_of({5, 1, 1}) == std::vector<std::uint16_t>{0, 0, 1, 0, 2, 0, 0});
    CHECK(shares(cycle_of({90, 10})) == std::map<std::uint16_t, int>{{0, 9}, {1, 1}});
}

TEST_CASE("balancer: weights that would make a long cycle are scaled, and none of them to nothing") {
    const auto cycle = cycle_of({1'000'000, 1, 0, 333'333});
    CHECK(cycle.size() <= kCycleMax + 2);
    const auto parts = shares(cycle);
    CHECK(parts.at(1) == 1);
    CHECK(parts.count(2) == 0);
    CHECK(parts.at(0) > 370);
    CHECK(parts.at(3) > 120);
    const auto primes = shares(cycle_of({997, 991}));
    CHECK(std::abs(primes.at(0) - primes.at(1)) <= 2);
}

TEST_CASE("balancer: tickets of different rules do not disturb each other") {
    auto tickets = std::make_unique<SharedPage>();
    CHECK(tickets->next_of_rule(1) == 0);
    CHECK(tickets->next_of_rule(2) == 0);
    CHECK(tickets->next_of_rule(1) == 1);
    CHECK(tickets->next_of_set(1) == 0);
}
