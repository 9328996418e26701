// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/ids.hpp"

#include <set>

#include "tools/test/catch.hpp"

namespace penstock::compile {
namespace {

// One compilation that uses `names`; their numbers in that order.
std::vector<std::uint32_t> round(IdTablePtr& table, const std::vector<std::string>& names, std::uint32_t max = 100) {
    IdTaker taker(table, max);
    std::vector<std::uint32_t> ids;
    for (const std::string& name : names) {
        ids.push_back(taker.take(name).value_or(0));
    }
    table = std::move(taker).finish();
    CHECK(table->used.size() == table->live.size() + table->resting.size());
    return ids;
}
using Numbers = std::vector<std::uint32_t>;

TEST_CASE("ids: a name keeps its number while others come and go") {
    IdTablePtr table;
    CHECK(round(table, {"a", "b", "c"}) == Numbers{1, 2, 3});
    CHECK(round(table, {"c", "a"}) == Numbers{3, 1});
    CHECK(round(table, {"d", "c", "a"}) == Numbers{4, 3, 1});
}

TEST_CASE("ids: nothing new and nothing gone gives the same table object") {
    IdTablePtr table;
    round(table, {"a", "b"});
    const IdTablePtr before = table;
    round(table, {"b", "a", "a"});
    CHECK(table == before);
}

TEST_CASE("ids: a freed number goes to somebody else only when all others were used") {
    IdTablePtr table;
    round(table, {"a", "b"}, 4);
    round(table, {"b"}, 4);
    CHECK(round(table, {"b", "c", "d"}, 4) == Numbers{2, 3, 4});
    CHECK(round(table, {"b", "c", "d", "e"}, 4) == Numbers{2, 3, 4, 1});
    CHECK(round(table, {"b", "c", "d", "e", "f"}, 4) == Numbers{2, 3, 4, 1, 0});
}

TEST_CASE("ids: a name that comes back finds its old number") {
    IdTablePtr table;
    round(table, {"a", "b"});
    round(table, {"b"});
    CHECK(round(table, {"x", "b", "a"}) == Numbers{3, 2, 1});
    CHECK(round(table, {"a"}) == Numbers{1});
}

TEST_CASE("ids: a number that was taken and released in one compilation is free, but for one that rested") {
    IdTablePtr table;
    IdUses uses;
    const auto compile = [&](const std::vector<std::string>& take, const std::vector<std::string>& release) {
        IdTaker taker(table, 100, uses);
        for (const std::string& name : take) {
            (void)taker.take(name);
        }
        for (const std::string& name : release) {
            taker.release(name);
        }
        uses = taker.uses();
        table = taker.finish();
        CHECK(table->used.size() == table->live.size() + table->resting.size());
    };
    compile({"a", "b"}, {});
    compile({"c"}, {"b"});
    compile({"d", "b"}, {"d", "b"});
    CHECK(table->resting.size() == 1);
    CHECK_FALSE(table->used.contains(4U));
}

TEST_CASE("ids: the resting list is bounded, and numbers are never shared") {
    IdTablePtr table;
    std::set<std::uint32_t> used;
    for (int i = 0; i < 6000; ++i) {
        used.insert(round(table, {"name" + std::to_string(i)}, 1U << 20).front());
    }
    CHECK(used.size() == 6000);
    CHECK(table->resting.size() == IdTable::kRestingMax);
}

TEST_CASE("ids: text and back gives the same numbers, also resting ones") {
    Ids ids;
    round(ids.backends, {"TCPRoute/a/b/0/v4/10.0.0.1:80", "gone"});
    round(ids.backends, {"TCPRoute/a/b/0/v4/10.0.0.1:80"});
    round(ids.rules, {"name with space"});
    auto again = decode_ids(encode(ids));
    REQUIRE(again.ok());
    CHECK(encode(*again).find("backends rest 2 gone\n") != std::string::npos);
    CHECK(round(again->backends, {"new", "gone"}) == Numbers{3, 2});
    CHECK(round(again->rules, {"name with space"}) == Numbers{1});
}

TEST_CASE("ids: damaged text is refused by line") {
    const char* header = "penstock ids 1\n";
    for (const char* line : {"nonsense", "backends live x a", "backends live 0 a", "elsewhere live 1 a", "backends gone 1 a",
                             "backends live 1", "backends live 1 a\nbackends rest 1 b"}) {
        INFO(line);
        CHECK_FALSE(decode_ids(std::string(header) + line).ok());
    }
    CHECK_FALSE(decode_ids("backends live 1 a\n").ok());
    CHECK(decode_ids(header).ok());
}

}  // namespace
}  // namespace penstock::compile
