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
