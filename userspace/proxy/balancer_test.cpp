// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/balancer.hpp"

#include <array>
#include <map>
#include <memory>
#include <thread>
#include <vector>

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

TEST_CASE("balancer: weights are exact over each period over all threads, whoever serves") {
    constexpr std::size_t kThreads = 4;
    constexpr std::size_t kPeriods = 40;
    auto page = std::make_unique<SharedPage>();
    for (const std::vector<std::uint32_t>& weights : {std::vector<std::uint32_t>{1, 1}, {3, 1, 0, 2}, {9, 1}, {250, 249, 1}}) {
        const auto cycle = cycle_of(weights);
        const std::uint64_t first = ((std::uint64_t{1} << 32) / cycle.size() - kPeriods / 2) * cycle.size();  // to beyond what 32 bits hold
        page->rules[7] = first;
        std::array<std::vector<std::uint64_t>, kThreads> taken;
        std::vector<std::thread> threads;
        for (auto& mine : taken) {
            threads.emplace_back([&page, &mine, size = cycle.size()] {
                for (std::size_t i = 0; i < kPeriods * size / kThreads; ++i) {
                    mine.push_back(page->next_of_rule(7));
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        std::map<std::uint64_t, std::map<std::uint16_t, int>> periods;
        for (const auto& mine : taken) {
            for (const std::uint64_t ticket : mine) {
                ++periods[(ticket - first) / cycle.size()][cycle[ticket % cycle.size()]];
            }
        }
        CHECK(periods.size() == kPeriods);
        for (const auto& [period, seen] : periods) {
            INFO("period " << period);
            CHECK(seen == shares(cycle));
        }
    }
}

TEST_CASE("balancer: tickets of different rules do not disturb each other") {
    auto tickets = std::make_unique<SharedPage>();
    CHECK(tickets->next_of_rule(1) == 0);
    CHECK(tickets->next_of_rule(2) == 0);
    CHECK(tickets->next_of_rule(1) == 1);
    CHECK(tickets->next_of_set(1) == 0);
}
