// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/witnesses.hpp"

#include <algorithm>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

TEST_CASE("witnesses: everybody has a turn, and who answered is asked again") {
    std::vector<IpAddress> known;
    for (int i = 1; i <= 40; ++i) {
        known.push_back(*IpAddress::parse("192.0.2." + std::to_string(i)));
    }
    Witnesses witnesses;
    const IpAddress good = known[20];
    std::set<IpAddress> asked;
    bool answers = false;
    for (int round = 0; round < 10; ++round) {
        const auto list = witnesses.choose(7, known);
        CHECK(list.size() <= Witnesses::kAskedMax);
        asked.insert(list.begin(), list.end());
        const bool is_asked = std::find(list.begin(), list.end(), good) != list.end();
        CHECK((is_asked || !answers));
        answers = answers || is_asked;
        if (is_asked) {
            witnesses.answered(7, good);
        }
    }
    CHECK(asked.size() == known.size());
    CHECK(witnesses.choose(8, {}).empty());
    CHECK(witnesses.choose(8, {good, known[0]}).size() == 2);
}

TEST_CASE("witnesses: who was not asked, or answers no more, is not preferred") {
    std::vector<IpAddress> known;
    for (int i = 1; i <= 20; ++i) {
        known.push_back(*IpAddress::parse("2001:db8::" + std::to_string(i)));
    }
    Witnesses witnesses;
    witnesses.answered(7, known[0]);
    CHECK(witnesses.choose(7, known).front() == known[0]);
    witnesses.answered(7, known[19]);  // not asked
    witnesses.answered(8, known[0]);   // on another link
    const auto second = witnesses.choose(7, known);
    CHECK(std::find(second.begin(), second.end(), known[0]) == second.end());
    CHECK(std::find(second.begin(), second.end(), known[19]) == second.end());
}
