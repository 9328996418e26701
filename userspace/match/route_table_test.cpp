// SPDX-License-Identifier: Apache-2.0
// Rows of the Gateway API's matching (HTTPRouteMatch); the order of precedence is made by ctl/compile.
#include "userspace/match/route_table.hpp"

#include <re2/re2.h>

#include <algorithm>
#include <random>

#include "tools/test/catch.hpp"
#include "userspace/match/testing.hpp"

using namespace penstock;
using namespace penstock::match;
using namespace penstock::match::testing;

namespace {

constexpr auto kExact = fb::PathMatch::Exact, kPrefix = fb::PathMatch::Prefix, kRegex = fb::PathMatch::Regex;
constexpr auto kValueRegex = fb::ValueMatch::Regex;

std::shared_ptr<const RouteTable> table(const std::vector<Spec>& specs) {
    auto made = table_of(specs);
    REQUIRE(made.ok());
    return *made;
}

struct Row {
    const char* why;
    std::vector<Spec> specs;
    Asked asked;
    int rule;
};

void check(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
        INFO(row.why << ": " << row.asked.path);
        CHECK(rule_for(*table(row.specs), row.asked) == row.rule);
        // The same with so many that they are looked up in tables.
        std::vector<Spec> many = row.specs;
        for (int i = 0; i < 8; ++i) {
            many.push_back(Spec{.path = "/nobody/" + std::to_string(i)});
        }
        CHECK(rule_for(*table(many), row.asked) == row.rule);
    }
}

}  // namespace

TEST_CASE("match: paths") {
    const Spec v2{kPrefix, "/v2"}, one{kExact, "/one"}, slash{kExact, "/one/"}, root{kExact, "/"}, all{};
    check({
        {"a prefix is itself", {v2}, {"/v2"}, 0},
        {"a prefix with a slash", {v2}, {"/v2/"}, 0},
        {"a prefix with an element", {v2}, {"/v2/x"}, 0},
        {"a prefix with several elements", {v2}, {"/v2/x/y/"}, 0},
        {"a prefix with an empty element", {v2}, {"/v2//x"}, 0},
        {"a prefix matches by element", {v2}, {"/v2example"}, -1},
        {"a prefix is not found deeper", {v2}, {"/a/v2"}, -1},
        {"an empty element is an element", {v2}, {"//v2"}, -1},
        {"case counts", {v2}, {"/V2"}, -1},
        {"nothing is decoded", {v2}, {"/%762"}, -1},
        {"an encoded slash ends no element", {v2}, {"/v2%2Fx"}, -1},
        {"parameters belong to their element", {v2}, {"/v2;x=1/y"}, -1},
        {"the whole is a prefix of all", {all}, {"/a/b"}, 0},
        {"and of itself", {all}, {"/"}, 0},
        {"but not of what is no path", {all}, {"*"}, -1},
        {"an exact path is itself", {one}, {"/one"}, 0},
        {"an exact path has no slash more", {one}, {"/one/"}, -1},
        {"an exact path has no slash less", {slash}, {"/one"}, -1},
        {"an exact path with its slash", {slash}, {"/one/"}, 0},
        {"an exact path is no prefix", {one}, {"/one/two"}, -1},
        {"the exact root", {root}, {"/"}, 0},
        {"the exact root is not all", {root}, {"/a"}, -1},
        {"an exact path may be under a prefix", {{kExact, "/v2/x"}, v2}, {"/v2/x"}, 0},
        {"and leaves the rest to it", {{kExact, "/v2/x"}, v2}, {"/v2/x/y"}, 1},
    });
}

TEST_CASE("match: the order of the part decides over exact paths, expressions and prefixes alike") {
    const std::vector<Spec> specs = {{kExact, "/a/1"}, {kRegex, "/a/[0-9]+"}, {kPrefix, "/a/2"}, {kPrefix, "/a"}, {kRegex, "/b.*"}, {kPrefix, "/"}};
    check({
        {"exact first", specs, {"/a/1"}, 0},
        {"then the expression", specs, {"/a/2"}, 1},
        {"then the longest prefix", specs, {"/a/2/x"}, 2},
        {"then a shorter one", specs, {"/a/3x"}, 3},
        {"an expression before the shortest", specs, {"/bc"}, 4},
        {"and the shortest for the rest", specs, {"/c"}, 5},
        {"of equal ones the first", {{kPrefix, "/a"}, {kPrefix, "/a"}}, {"/a"}, 0},
        {"a short prefix that comes first", {{kPrefix, "/"}, {kPrefix, "/a"}, {kExact, "/a"}}, {"/a"}, 0},
        {"a later one serves where the first asks for more", {{kExact, "/a", "POST"}, {kPrefix, "/a", "PUT"}, {kPrefix, "/"}}, {"/a", "PUT"}, 1},
        {"up to the last", {{kExact, "/a", "POST"}, {kPrefix, "/a", "PUT"}, {kPrefix, "/"}}, {"/a", "GET"}, 2},
    });
}

TEST_CASE("match: expressions match the whole path, in RE2's language") {
    check({
        {"whole", {{kRegex, "/a/[0-9]+"}}, {"/a/12"}, 0},
        {"not its beginning", {{kRegex, "/a/[0-9]+"}}, {"/a/12/x"}, -1},
        {"not its end", {{kRegex, "a/[0-9]+"}}, {"/a/12"}, -1},
        {"case counts", {{kRegex, "/a"}}, {"/A"}, -1},
        {"unless it says so", {{kRegex, "(?i)/a"}}, {"/A"}, 0},
        {"alternatives are alternatives of the whole", {{kRegex, "/a|/b"}}, {"/bc"}, -1},
        {"without the query", {{kRegex, "/a.*"}}, {"/a", "GET", "x=1"}, 0},
        {"an expression without a slash", {{kRegex, ".*[.]png"}}, {"/x/y.png"}, 0},
    });
}

TEST_CASE("match: methods") {
    const Spec get{kPrefix, "/", "GET"};
    check({{"the same", {get}, {"/", "GET"}, 0}, {"another", {get}, {"/", "POST"}, -1}, {"case counts", {get}, {"/", "get"}, -1}, {"any", {{}}, {"/", "BREW"}, 0}});
}

TEST_CASE("match: header fields") {
    const auto with = [](std::vector<fb::NamedMatchT> headers) { return Spec{kPrefix, "/", "", std::move(headers)}; };
    const Spec one = with({named("version", "two")}), both = with({named("version", "two"), named("color", "blue")}), like = with({named("x", "a.*", kValueRegex)});
    check({
        {"the same value", {one}, {"/", "GET", "", {{"version", "two"}}}, 0},
        {"a value that begins so", {one}, {"/", "GET", "", {{"version", "two2"}}}, -1},
        {"case of the value counts", {one}, {"/", "GET", "", {{"version", "Two"}}}, -1},
        {"absent", {one}, {"/"}, -1},
        {"all of one match must hold", {both}, {"/", "GET", "", {{"version", "two"}, {"color", "blue"}}}, 0},
        {"not only one", {both}, {"/", "GET", "", {{"version", "two"}}}, -1},
        {"one of several matches is enough", {both, one}, {"/", "GET", "", {{"version", "two"}}}, 1},
        {"repeated fields are one list", {with({named("version", "one, two")})}, {"/", "GET", "", {{"version", "one"}, {"version", "two"}}}, 0},
        {"an expression", {like}, {"/", "GET", "", {{"x", "abc"}}}, 0},
        {"matches the whole value", {like}, {"/", "GET", "", {{"x", "bac"}}}, -1},
        {"an empty value is a value", {with({named("x", ".*", kValueRegex)})}, {"/", "GET", "", {{"x", ""}}}, 0},
        {"none is not an empty one", {with({named("x", ".*", kValueRegex)})}, {"/"}, -1},
        {"others do not matter", {{}}, {"/", "GET", "", {{"x", "y"}}}, 0},
    });
}

TEST_CASE("match: query parameters") {
    const auto with = [](std::vector<fb::NamedMatchT> query) { return Spec{kPrefix, "/", "", {}, std::move(query)}; };
    const Spec one = with({named("animal", "whale")}), both = with({named("animal", "whale"), named("color", "blue")}), like = with({named("n", "[0-9]+", kValueRegex)});
    check({
        {"the same value", {one}, {"/", "GET", "animal=whale"}, 0},
        {"among others", {one}, {"/", "GET", "a=1&animal=whale&b=2"}, 0},
        {"the first of several", {one}, {"/", "GET", "animal=whale&animal=dog"}, 0},
        {"and no later one", {one}, {"/", "GET", "animal=dog&animal=whale"}, -1},
        {"case of the name counts", {one}, {"/", "GET", "Animal=whale"}, -1},
        {"case of the value counts", {one}, {"/", "GET", "animal=Whale"}, -1},
        {"nothing is decoded", {one}, {"/", "GET", "animal=%77hale"}, -1},
        {"a name that begins so", {one}, {"/", "GET", "animals=whale"}, -1},
        {"absent", {one}, {"/", "GET", ""}, -1},
        {"without a value", {one}, {"/", "GET", "animal"}, -1},
        {"an equals sign belongs to the value", {with({named("a", "b=c")})}, {"/", "GET", "a=b=c"}, 0},
        {"a semicolon ends no parameter", {one}, {"/", "GET", "animal=whale;b=2"}, -1},
        {"empty pairs are none", {one}, {"/", "GET", "&&animal=whale"}, 0},
        {"all of one match must hold", {both}, {"/", "GET", "color=blue&animal=whale"}, 0},
        {"not only one", {both}, {"/", "GET", "animal=whale"}, -1},
        {"one of several matches is enough", {both, one}, {"/", "GET", "animal=whale"}, 1},
        {"an expression", {like}, {"/", "GET", "n=12"}, 0},
        {"matches the whole value", {like}, {"/", "GET", "n=12a"}, -1},
        {"and not none", {like}, {"/", "GET", "n"}, -1},
    });
}

TEST_CASE("match: a part that is not sound is refused with the match that is wrong") {
    for (const Spec& bad : std::initializer_list<Spec>{{kRegex, "/("}, {kPrefix, "a"}, {kExact, ""}, {kPrefix, "/", "", {named("x", "(", kValueRegex)}}}) {
        auto made = table_of({{}, bad});
        REQUIRE_FALSE(made.ok());
        INFO(made.error().message());
        CHECK(made.error().message().find("match 1") != std::string::npos);
    }
}

TEST_CASE("match: many matches of one path, told apart by a value, keep their order") {
    std::vector<Spec> specs;
    for (int i = 0; i < 100; ++i) {
        specs.push_back({kPrefix, "/", "", {named("tenant", "t" + std::to_string(i / 2))}, i % 2 == 0 ? std::vector{named("q", "1")} : std::vector<fb::NamedMatchT>{}});
        if (i == 50) {
            specs.push_back({kPrefix, "/", "PUT"});                                  // 51
            specs.push_back({kPrefix, "/", "", {named("tenant", "u.*", kValueRegex)}});  // 52
        }
    }
    specs.push_back({kPrefix, "/"});  // 102
    const auto made = table(specs);
    const auto ask = [&](const std::string& tenant, const std::string& query, const std::string& method) {
        return rule_for(*made, {"/x", method, query, tenant.empty() ? Pairs{} : Pairs{{"tenant", tenant}}});
    };
    CHECK(ask("t3", "q=1", "GET") == 6);
    CHECK(ask("t3", "", "GET") == 7);
    CHECK(ask("t3", "", "PUT") == 7);
    CHECK(ask("t40", "q=1", "GET") == 82);
    CHECK(ask("t40", "q=1", "PUT") == 51);
    CHECK(ask("u", "", "GET") == 52);
    CHECK(ask("", "q=1", "GET") == 102);
}

namespace {

// What the table stands for, by the words of the specification: each match in its order.
int naive(const std::vector<Spec>& specs, const Asked& asked) {
    for (std::size_t i = 0; i < specs.size(); ++i) {
        const Spec& spec = specs[i];
        const bool path = spec.kind == kExact ? asked.path == spec.path
                          : spec.kind == kPrefix ? spec.path == "/" || asked.path == spec.path || asked.path.starts_with(spec.path + "/")
                                                 : full_match(asked.path, **expression(spec.path));
        const bool headers = std::all_of(spec.headers.begin(), spec.headers.end(), [&](const fb::NamedMatchT& wanted) {
            return std::find(asked.headers.begin(), asked.headers.end(), std::pair(wanted.name, wanted.value)) != asked.headers.end();
        });
        const bool query = std::all_of(spec.query.begin(), spec.query.end(), [&](const fb::NamedMatchT& wanted) { return query_value(asked.query, wanted.name) == wanted.value; });
        if (path && headers && query && (spec.method.empty() || spec.method == asked.method)) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

}  // namespace

TEST_CASE("match: the tables find what a walk over all matches finds") {
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto pick = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    const auto path = [&](unsigned elements) {
        std::string text;
        for (unsigned i = 0; i < elements; ++i) {
            text += "/" + std::string(1, static_cast<char>('a' + pick(3))) + (pick(5) == 0 ? "b" : "");
        }
        return text.empty() ? "/" : text;
    };
    for (int round = 0; round < 60; ++round) {
        std::vector<Spec> specs;
        for (unsigned i = 0, count = 1 + pick(80); i < count; ++i) {
            Spec spec{pick(3) == 0 ? kExact : pick(4) == 0 ? kRegex : kPrefix, path(pick(4))};
            spec.path += spec.kind == kRegex ? ".*" : spec.kind == kExact && pick(4) == 0 ? "/" : "";
            spec.method = pick(4) == 0 ? "PUT" : "";
            if (pick(2) == 0) {
                spec.headers.push_back(named("h", std::to_string(pick(4))));
            }
            if (pick(4) == 0) {
                spec.query.push_back(named("q", std::to_string(pick(3))));
            }
            specs.push_back(std::move(spec));
        }
        const auto made = table(specs);
        for (int i = 0; i < 200; ++i) {
            const Asked asked{path(pick(6)) + (pick(4) == 0 ? "/" : ""), pick(2) == 0 ? "PUT" : "GET", "q=" + std::to_string(pick(3)),
                              pick(3) == 0 ? Pairs{} : Pairs{{"h", std::to_string(pick(4))}}};
            CHECK(rule_for(*made, asked) == naive(specs, asked));
        }
    }
}
