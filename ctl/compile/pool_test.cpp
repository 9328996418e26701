// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/pool.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::compile;

namespace {

Pool pool_of(std::string_view text) {
    auto parsed = Pool::parse(text);
    INFO(text);
    REQUIRE(std::holds_alternative<Pool>(parsed));
    return std::get<Pool>(parsed);
}

std::string all_of(const Pool& pool, Family family) {
    std::set<IpAddress> taken;
    while (const auto ip = pool.free_one(family, "Gateway/default/edge", taken)) {
        taken.insert(*ip);
    }
    std::string out;
    for (const IpAddress& ip : taken) {
        out += ip.text() + " ";
    }
    return out;
}

}  // namespace

TEST_CASE("pool: addresses, ranges and networks give each of their addresses once") {
    struct Row {
        const char* text;
        const char* v4;
        const char* v6;
    };
    const Row rows[] = {
        {"10.0.0.1", "10.0.0.1 ", ""},
        {"10.0.0.254-10.0.1.1", "10.0.0.254 10.0.0.255 10.0.1.0 10.0.1.1 ", ""},
        {"10.0.0.0/30", "10.0.0.1 10.0.0.2 ", ""},
        {"10.0.0.7/31", "10.0.0.6 10.0.0.7 ", ""},
        {"10.0.0.7/32, 10.0.0.1", "10.0.0.1 10.0.0.7 ", ""},
        {"2001:db8::1/127\n10.0.0.9", "10.0.0.9 ", "2001:db8:: 2001:db8::1 "},
        {"2001:db8::ffff-2001:db8::1:0", "", "2001:db8::ffff 2001:db8::1:0 "},
    };
    for (const Row& row : rows) {
        const Pool pool = pool_of(row.text);
        CHECK(all_of(pool, Family::v4) == row.v4);
        CHECK(all_of(pool, Family::v6) == row.v6);
        CHECK(pool.has(Family::v6) == (*row.v6 != '\0'));
    }
}

TEST_CASE("pool: a network larger than anybody counts is searched to its bound") {
    const Pool pool = pool_of("2001:db8::/32");
    CHECK(pool.contains(*IpAddress::parse("2001:db8:ffff::1")));
    CHECK_FALSE(pool.contains(*IpAddress::parse("2001:db9::1")));
    CHECK(pool.free_one(Family::v6, "a", {}).has_value());
    CHECK(pool.free_one(Family::v6, "a", {}) == pool.free_one(Family::v6, "a", {}));
    CHECK(pool.free_one(Family::v6, "a", {}) != pool.free_one(Family::v6, "b", {}));
}

TEST_CASE("pool: what is no pool is named") {
    for (const char* text : {"", " ,\n", "10.0.0.1/33", "10.0.0.1/", "10.0.0.1/x", "10.0.0.9-10.0.0.1", "10.0.0.1-2001:db8::1", "10.0.0.1-", "-10.0.0.1", "edge", "1.2.3"}) {
        INFO(text);
        const auto parsed = Pool::parse(text);
        REQUIRE(std::holds_alternative<std::string>(parsed));
        CHECK_FALSE(std::get<std::string>(parsed).empty());
    }
}
