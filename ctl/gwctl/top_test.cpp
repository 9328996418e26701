// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/testing.hpp"
#include "ctl/gwctl/top_table.hpp"

using namespace penstock::gwctl;
using namespace penstock::gwctl::testing;
using nlohmann::json;

namespace {

json rule(int id, const char* name, std::vector<int> classes, std::vector<int> buckets, int retries = 0) {
    return {{"id", id}, {"object", {{"kind", "HTTPRoute"}, {"namespace", "shop"}, {"name", name}}}, {"rule", 0}, {"retries", retries}, {"status_class", classes},
            {"durations", {{"buckets", buckets}}}};
}

json answer(int time_ms, json rules) {
    const json built = {{"time_ms", time_ms}, {"bucket_ends_us", {64, 96, 1000}}, {"worker", {{"requests_total", time_ms}, {"connections_total", 0}, {"connections_open", 3}}},
            {"listeners", json::array()}, {"rules", std::move(rules)}, {"services", json::array()},
            {"reasons", {{{"name", "no_route"}, {"count", time_ms / 100}, {"text", "no rule matches"}}, {{"name", "no_host"}, {"count", 0}, {"text", "no host"}}}}};
    return json::parse(built.dump());  // numbers as they come from a daemon
}

}  // namespace

TEST_CASE("top: rates are differences over the time between, the busiest first, the idle left out") {
    const json before = answer(1000, {rule(1, "a", {0, 0, 10, 0, 0, 0}, {0, 0, 10, 0}), rule(2, "b", {0, 0, 5, 0, 0, 0}, {5, 0, 0, 0}), rule(3, "c", {0, 0, 7, 0, 0, 0}, {7, 0, 0, 0})});
    const json after = answer(3000, {rule(1, "a", {0, 0, 12, 0, 2, 0}, {2, 1, 11, 0}, 1), rule(2, "b", {0, 0, 105, 0, 0, 3}, {108, 0, 0, 0}), rule(3, "c", {0, 0, 7, 0, 0, 0}, {7, 0, 0, 0})});
    const json rates = rates_of(before, after);
    CHECK(rates["seconds"] == 2.0);
    CHECK(rates["requests"] == 1000.0);
    CHECK(rates["connections_open"] == 3);
    REQUIRE(rates["routes"].size() == 2);
    CHECK(rates["routes"][0]["name"] == "HTTPRoute shop/b#0");
    CHECK(rates["routes"][0]["rate"] == 51.5);
    CHECK(rates["routes"][0]["server_errors"] == 1.5);
    CHECK(rates["routes"][0]["p99_us"] == 64);
    CHECK(rates["routes"][1]["rate"] == 2.0);
    CHECK(rates["routes"][1]["client_errors"] == 1.0);
    CHECK(rates["routes"][1]["retries"] == 0.5);
    CHECK(rates["routes"][1]["p50_us"] == 64);
    CHECK(rates["routes"][1]["p99_us"] == 1000);
    REQUIRE(rates["refused"].size() == 1);
    CHECK(rates["refused"][0]["rate"] == 10.0);
}

TEST_CASE("top: a counter that went back began anew, what is new began at 0, and nonsense is nothing") {
    const json rates = rates_of(answer(1000, {rule(1, "a", {0, 0, 10, 0, 0, 0}, {10})}), answer(2000, {rule(1, "a", {0, 0, 4, 0, 0, 0}, {0, 4}), rule(2, "b", {0, 0, 6, 0, 0, 0}, {6})}));
    CHECK(rates["routes"][0]["rate"] == 6.0);
    CHECK(rates["routes"][1]["rate"] == 4.0);
    CHECK(rates["routes"][1]["p50_us"] == 96);
    for (const char* text : {"{}", "[]", "null", R"({"time_ms": "x", "rules": [{"id": 1, "status_class": "x", "durations": 3}], "listeners": {}})", R"({"rules": [1, null, {}]})"}) {
        INFO(text);
        CHECK_FALSE(rates_text(rates_of(json::parse(text), json::parse(text)), 5).empty());
    }
}

TEST_CASE("top: an interval as text and as JSON, from a daemon") {
    Daemon daemon;
    daemon.answer("/v1/counters", answer(1000, {rule(1, "a", {0, 0, 10, 0, 0, 0}, {10, 0, 0, 0})}));
    const Ran text = daemon.run({"top"});
    CHECK(text.code == 0);
    CHECK(text.out.starts_with("per second, over 1.0 s: - requests, - new connections; 3 connections open\n"));
    CHECK(daemon.requests().size() == 2);
    CHECK(json::parse(daemon.run({"top", "-o", "json"}).out)["routes"].empty());
    CHECK(daemon.run({"top", "--interval", "0"}).code == 2);
    CHECK(daemon.run({"top", "--interval", "61"}).code == 2);
}

TEST_CASE("top: rows beyond those that fit are counted") {
    json rules = json::array();
    for (int i = 0; i < 30; ++i) {
        rules.push_back(rule(i, ("r" + std::to_string(i)).c_str(), {0, 0, i + 1, 0, 0, 0}, {i + 1}));
    }
    const std::string text = rates_text(rates_of(answer(0, json::array()), answer(1000, rules)), 20);
    CHECK(text.find("HTTPRoute shop/r29#0") != std::string::npos);
    CHECK(text.find("HTTPRoute shop/r9#0") == std::string::npos);
    CHECK(text.find("and 10 more\n") != std::string::npos);
}
