// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/selector.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::model;

TEST_CASE("selector: each form selects what kubectl's does") {
    const Labels labels = {{"app", "shop"}, {"tier", "web"}, {"example.com/x", ""}};
    struct Row {
        const char* text;
        bool selects;
    };
    const Row rows[] = {
        {"", true},           {"app=shop", true},          {"app==shop", true},        {"app=other", false},        {"app!=other", true},
        {"none!=x", true},    {"app!=shop", false},        {"app", true},              {"none", false},             {"!none", true},
        {"!app", false},      {"app in (shop, a)", true},  {"app in (a,b)", false},    {"app notin (a,b)", true},   {"app notin (shop)", false},
        {"none notin (a)", true}, {"app=shop,tier=web", true}, {"app=shop, tier=db", false}, {"app in (a,shop),tier", true}, {"example.com/x=", true},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const auto parsed = parse_selector(row.text);
        REQUIRE(parsed.ok());
        CHECK(selects(*parsed, labels) == row.selects);
    }
}

TEST_CASE("selector: what is none is told") {
    for (const char* text : {"=a", "a b", "a in shop", "a in (b", ",", "a=b,", "-a=b", "a=b c", "a in (b c)"}) {
        INFO(text);
        const auto parsed = parse_selector(text);
        REQUIRE_FALSE(parsed.ok());
        CHECK(parsed.error().hint.find("notin") != std::string::npos);
    }
}

TEST_CASE("selector: one with a fault, which an API server lets pass, selects nothing") {
    const Labels labels = {{"app", "shop"}};
    struct Row {
        LabelRequirement one;
        const char* fault;
    };
    const Row rows[] = {
        {{.key = "app", .op = "Exists", .values = {}}, ""},
        {{.key = "app", .op = "", .values = {}}, "matchExpressions[1].operator: \"\" is none of In, NotIn, Exists, DoesNotExist"},
        {{.key = "a b", .op = "DoesNotExist", .values = {}}, "matchExpressions[1].key: \"a b\" is not a label's key"},
        {{.key = "app", .op = "NotIn", .values = {}}, "matchExpressions[1].values: must not be empty with NotIn"},
        {{.key = "app", .op = "Exists", .values = {"shop"}}, "matchExpressions[1].values: must be empty with Exists"},
    };
    for (const Row& row : rows) {
        const LabelSelector selector{.match_labels = {}, .match_expressions = {{.key = "app", .op = "In", .values = {"shop"}}, row.one}};
        CHECK(fault_of(selector) == row.fault);
        CHECK(selects(selector, labels) == std::string(row.fault).empty());
    }
}
