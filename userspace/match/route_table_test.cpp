// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/route_table.hpp"

#include "tools/test/catch.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/match/path.hpp"

using namespace penstock;
using namespace penstock::match;

namespace {

struct Spec {
    fb::PathMatch kind = fb::PathMatch::Prefix;
    std::string path = "/";
    std::string method;
    std::vector<fb::NamedMatchT> headers;
    std::vector<fb::NamedMatchT> query;
};

fb::NamedMatchT named(std::string name, std::string value, fb::ValueMatch match = fb::ValueMatch::Exact) {
    fb::NamedMatchT result;
    result.name = std::move(name);
    result.value = std::move(value);
    result.match = match;
    return result;
}

// A table whose match i leads to rule i.
Result<std::shared_ptr<const RouteTable>> table_of(const std::vector<Spec>& specs) {
    fb::HostRoutesT part;
    part.hostname = "h";
    for (std::uint32_t i = 0; i < specs.size(); ++i) {
        auto match = std::make_unique<fb::MatchT>();
        match->path_match = specs[i].kind;
        match->path = specs[i].path;
        match->method = specs[i].method;
        match->rule = i;
        for (const auto& one : specs[i].headers) {
            match->headers.push_back(std::make_unique<fb::NamedMatchT>(one));
        }
        for (const auto& one : specs[i].query) {
            match->query.push_back(std::make_unique<fb::NamedMatchT>(one));
        }
        part.matches.push_back(std::move(match));
        auto rule = std::make_unique<fb::RuleT>();
        rule->object = std::make_unique<fb::ObjectRefT>();
        part.rules.push_back(std::move(rule));
    }
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(fb::HostRoutes::Pack(builder, &part));
    return RouteTable::build(*flatbuffers::GetRoot<fb::HostRoutes>(builder.GetBufferPointer()));
}

int rule_for(const RouteTable& table, std::string_view method, std::string_view path, std::string_view query = "",
             const std::vector<std::pair<std::string, std::string>>& headers = {}) {
    Request request{method, path, query, [&](std::string_view name) -> std::optional<std::string> {
                        for (const auto& [key, value] : headers) {
                            if (key == name) {
                                return value;
                            }
                        }
                        return std::nullopt;
                    }};
    const auto found = table.find(request);
    return found ? static_cast<int>(found->rule) : -1;
}

}  // namespace

TEST_CASE("match: a prefix matches whole elements, an exact path only itself") {
    const auto table = table_of({{fb::PathMatch::Exact, "/v2/exact"}, {fb::PathMatch::Prefix, "/v2"}, {fb::PathMatch::Prefix, "/v"}});
    REQUIRE(table.ok());
    struct Row {
        const char* path;
        int rule;
    };
    for (const Row& row : std::initializer_list<Row>{{"/v2/exact", 0}, {"/v2/exact/", 1}, {"/v2", 1}, {"/v2/", 1}, {"/v2/a/b", 1}, {"/v2example", -1},
                                                     {"/v", 2}, {"/v/2", 2}, {"/", -1}, {"/V2", -1}, {"/a/v2", -1}}) {
        INFO(row.path);
        CHECK(rule_for(**table, "GET", row.path) == row.rule);
    }
}

TEST_CASE("match: the order of the part decides over all tables") {
    const auto table = table_of({{fb::PathMatch::Regex, "/a/[0-9]+"}, {fb::PathMatch::Exact, "/a/1"}, {fb::PathMatch::Prefix, "/a"}, {fb::PathMatch::Prefix, "/"}});
    REQUIRE(table.ok());
    CHECK(rule_for(**table, "GET", "/a/1") == 0);
    CHECK(rule_for(**table, "GET", "/a/x") == 2);
    CHECK(rule_for(**table, "GET", "/b") == 3);
    CHECK(rule_for(**table, "GET", "/a/1x") == 2);  // an expression matches the whole path
}

TEST_CASE("match: method, headers and query must all hold, else the next match has its turn") {
    const auto table = table_of({{fb::PathMatch::Prefix, "/", "POST", {}, {}},
                                 {fb::PathMatch::Prefix, "/", "", {named("version", "two"), named("x", "a.*", fb::ValueMatch::Regex)}, {}},
                                 {fb::PathMatch::Prefix, "/", "", {}, {named("animal", "whale")}},
                                 {fb::PathMatch::Prefix, "/", "", {}, {named("n", "[0-9]+", fb::ValueMatch::Regex)}}});
    REQUIRE(table.ok());
    CHECK(rule_for(**table, "POST", "/") == 0);
    CHECK(rule_for(**table, "GET", "/", "", {{"version", "two"}, {"x", "abc"}}) == 1);
    CHECK(rule_for(**table, "GET", "/", "", {{"version", "two"}}) == -1);
    CHECK(rule_for(**table, "GET", "/", "a=1&animal=whale&animal=dog") == 2);
    CHECK(rule_for(**table, "GET", "/", "animal=dog&animal=whale") == -1);
    CHECK(rule_for(**table, "GET", "/", "n=12") == 3);
    CHECK(rule_for(**table, "GET", "/", "n") == -1);
    CHECK(rule_for(**table, "GET", "/") == -1);
}

TEST_CASE("match: a part that is not sound is refused with the match that is wrong") {
    auto table = table_of({{fb::PathMatch::Prefix, "/"}, {fb::PathMatch::Regex, "/("}});
    REQUIRE_FALSE(table.ok());
    CHECK(table.error().message().find("match 1") != std::string::npos);
}

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
    for (const Row& row : std::initializer_list<Row>{{"b.a.example.com", {0, 1, 2, 9}}, {"c.b.a.example.com", {1, 2, 9}}, {"a.example.com", {2, 9}},
                                                     {"example.com", {9}}, {"", {9}}, {".example.com", {9}}, {"xexample.com", {9}}}) {
        std::vector<int> order;
        index.visit(row.host, [&](int value) {
            order.push_back(value);
            return false;
        });
        INFO(row.host);
        CHECK(order == row.order);
    }
}

TEST_CASE("host: ports, case and a trailing dot play no part") {
    CHECK(normal_host("Shop.Example.com.:443") == "shop.example.com");
    CHECK(normal_host("[::1]:80") == "[::1]");
    CHECK(normal_host("a") == "a");
    CHECK(normal_host("") == "");
    CHECK(normal_host("[::1") == "[::1");
}

TEST_CASE("path: dot segments are resolved in every spelling, what climbs out is refused, the rest stays") {
    struct Row {
        const char* in;
        const char* out;  // null: refused
    };
    for (const Row& row : std::initializer_list<Row>{{"/", "/"}, {"/a/b", "/a/b"}, {"/a/./b", "/a/b"}, {"/a/../b", "/b"}, {"/a/..", "/"}, {"/a/.", "/a/"},
                                                     {"/a/%2e%2E/b", "/b"}, {"/.%2e/b", nullptr}, {"/..", nullptr}, {"/a/../../b", nullptr}, {"/a//b", "/a//b"},
                                                     {"/a%2Fb", "/a%2Fb"}, {"/...", "/..."}, {"/.a", "/.a"}, {"/a/b/../../c/", "/c/"}}) {
        INFO(row.in);
        const auto normal = needs_normalising(row.in) ? normal_path(row.in) : std::optional<std::string>(row.in);
        CHECK(normal.has_value() == (row.out != nullptr));
        CHECK(normal.value_or("-") == (row.out != nullptr ? row.out : "-"));
    }
}
