// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/host_index.hpp"

#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock::match;

TEST_CASE("host index: exact before longest wildcard before all, and fall through in that order") {
    HostIndex<int> index;
    index.add("", 9);
    index.add("*.example.com", 2);
    index.add("*.a.example.com", 1);
    index.add("b.a.example.com", 0);
    struct Row {
        const char* host;
        std::vector<int> order;
    };
    for (const Row& row : std::initializer_list<Row>{{"b.a.example.com", {0, 1, 2, 9}},
                                                     {"c.b.a.example.com", {1, 2, 9}},  // a wildcard stands for several labels, too
                                                     {"a.example.com", {2, 9}},
                                                     {"example.com", {9}},  // and never for none
                                                     {"", {9}},
                                                     {".example.com", {9}},
                                                     {"xexample.com", {9}}}) {
        std::vector<int> order;
        index.visit(row.host, [&](int value) {
            order.push_back(value);
            return false;
        });
        INFO(row.host);
        CHECK(order == row.order);
    }
}

TEST_CASE("host index: the first value of a pattern stays") {
    HostIndex<int> index;
    for (const int value : {1, 2}) {
        index.add("a", value);
        index.add("*.b", value);
        index.add("", value);
    }
    CHECK(*index.find("a") == 1);
    CHECK(*index.find("x.b") == 1);
    CHECK(*index.find("c") == 1);
    CHECK(HostIndex<int>().find("a") == nullptr);
}

TEST_CASE("host index: an edited copy leaves the first as it was") {
    HostIndex<int> index;
    index.add("a", 1);
    index.add("*.b", 2);
    index.add("", 3);
    HostIndex<int> copy = index;
    for (const char* pattern : {"a", "*.b", "", "never"}) {
        copy.erase(pattern);
    }
    copy.add("a", 4);
    CHECK(*copy.find("a") == 4);
    CHECK(copy.find("x.b") == nullptr);
    CHECK(*index.find("a") == 1);
    CHECK(*index.find("x.b") == 2);
    CHECK(*index.find("c") == 3);
}

TEST_CASE("host: ports, case and a trailing dot play no part") {
    struct Row {
        const char *host, *name;
    };
    for (const Row& row : std::initializer_list<Row>{{"Shop.Example.com.:443", "shop.example.com"}, {"[::1]:80", "[::1]"}, {"[::A]", "[::a]"}, {"a", "a"},
                                                     {"a:", "a"}, {"", ""}, {".", "."}, {"[::1", "[::1"}, {":80", ""}}) {
        INFO(row.host);
        CHECK(normal_host(row.host) == row.name);
        CHECK(HostName(row.host).name() == row.name);
    }
}

TEST_CASE("host: what is longer than a name can be has none") {
    const std::string label(63, 'a');
    const std::string longest = label + "." + label + "." + label + "." + label;
    CHECK(HostName(longest).name() == longest);
    CHECK(HostName("b" + longest).name().empty());
    CHECK(HostName(std::string(100'000, 'a') + ".example.com").name().empty());
}
