// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/maglev.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "tools/test/catch.hpp"

using namespace penstock;

namespace {

std::vector<MaglevMember> members(std::size_t count, std::uint32_t weight = 1) {
    std::vector<MaglevMember> made;
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back({"10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":8080", weight});
    }
    return made;
}

std::vector<std::size_t> shares(const std::vector<std::uint32_t>& table, std::size_t count) {
    std::vector<std::size_t> result(count);
    for (const std::uint32_t member : table) {
        ++result.at(member);
    }
    return result;
}

bool is_prime(std::uint32_t n) {
    for (std::uint32_t d = 2; d * d <= n; ++d) {
        if (n % d == 0) {
            return false;
        }
    }
    return n >= 2;
}

// The names in each slot, so that tables of different member lists can be compared.
std::vector<std::string> names(const std::vector<MaglevMember>& of, const std::vector<std::uint32_t>& table) {
    std::vector<std::string> result;
    for (const std::uint32_t member : table) {
        result.push_back(of.at(member).name);
    }
    return result;
}

}  // namespace

TEST_CASE("maglev: sizes are primes from 251 to 655,373 with 80 to 160 slots for each member") {
    for (const std::size_t count : {1U, 2U, 3U, 4U, 7U, 50U, 819U, 1000U, 6553U, 8192U, 65536U}) {
        const std::uint32_t size = maglev_size(count);
        INFO(count << " members, " << size);
        CHECK(is_prime(size));
        CHECK(size >= kMaglevSizeMin);
        CHECK(size <= kMaglevSizeMax);
        if (count > 3 && count <= 8192) {
            CHECK(size >= count * 79);
            CHECK(size <= count * 165);
        }
    }
}

TEST_CASE("maglev: slots follow the weights to one slot in a round") {
    for (const std::size_t count : {1U, 2U, 3U, 10U, 100U}) {
        const auto of = members(count);
        const auto table = maglev_table(of);
        for (const std::size_t share : shares(table, count)) {
            CHECK(std::abs(static_cast<double>(share) - static_cast<double>(table.size()) / static_cast<double>(count)) <= 1.0);
        }
    }
    auto of = members(4);
    of[0].weight = 60;
    of[1].weight = 30;
    of[2].weight = 10;
    of[3].weight = 0;
    const auto got = shares(maglev_table(of, 1021), 4);
    CHECK(std::abs(static_cast<double>(got[0]) - 612.6) < 5);
    CHECK(std::abs(static_cast<double>(got[1]) - 306.3) < 5);
    CHECK(std::abs(static_cast<double>(got[2]) - 102.1) < 5);
    CHECK(got[3] == 0);
}

TEST_CASE("maglev: the order in which members are given does not matter") {
    const auto of = members(20);
    auto shuffled = of;
    std::shuffle(shuffled.begin(), shuffled.end(), std::mt19937(7));
    shuffled[3].weight = 1;
    CHECK(names(of, maglev_table(of)) == names(shuffled, maglev_table(shuffled)));
}

TEST_CASE("maglev: a member that goes moves its own slots and few others") {
    const auto of = members(50);
    const std::uint32_t size = maglev_size(50);
    auto fewer = of;
    fewer.erase(fewer.begin() + 17);
    const auto before = names(of, maglev_table(of, size));
    const auto after = names(fewer, maglev_table(fewer, size));
    std::size_t own = 0;
    std::size_t others = 0;
    for (std::uint32_t slot = 0; slot < size; ++slot) {
        own += before[slot] == of[17].name ? 1U : 0U;
        others += before[slot] != of[17].name && before[slot] != after[slot] ? 1U : 0U;
    }
    CHECK(own > 0);
    CHECK(static_cast<double>(others) < 0.04 * size);
}

TEST_CASE("maglev: without weight there is no table") {
    CHECK(maglev_table({}).empty());
    CHECK(maglev_table(members(3, 0)).empty());
}

TEST_CASE("maglev: a key has one slot, and keys spread over all") {
    const auto of = members(10);
    const auto table = maglev_table(of);
    const auto size = static_cast<std::uint32_t>(table.size());
    CHECK(maglev_slot("10.0.0.1", size) == maglev_slot("10.0.0.1", size));
    std::vector<std::uint32_t> chosen;
    for (int i = 0; i < 10'000; ++i) {
        chosen.push_back(table[maglev_slot("client " + std::to_string(i), size)]);
    }
    for (const std::size_t share : shares(chosen, 10)) {
        CHECK(share > 800);
        CHECK(share < 1200);
    }
}
