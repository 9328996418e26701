// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/maglev.hpp"

#include <string>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;

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

}  // namespace

TEST_CASE("maglev: the overlay moves the slots of those that are down and no others") {
    const auto of = members(10);
    const auto table = maglev_table(of);
    std::vector<bool> up(10, true);
    CHECK(overlay(table, up) == table);
    up[2] = up[7] = false;
    const auto over = overlay(table, up);
    for (std::size_t slot = 0; slot < table.size(); ++slot) {
        CHECK(up[over[slot]]);
        if (up[table[slot]]) {
            CHECK(over[slot] == table[slot]);
        }
    }
    const auto got = shares(over, 10);
    for (std::size_t member = 0; member < 10; ++member) {
        CHECK((up[member] ? got[member] > table.size() / 20 : got[member] == 0));
    }
}

TEST_CASE("maglev: with one member of many up, all slots are its own; with none, there is no table") {
    const auto table = maglev_table(members(200));
    std::vector<bool> up(200, false);
    CHECK(overlay(table, up).empty());
    up[123] = true;
    CHECK(shares(overlay(table, up), 200)[123] == table.size());
}
