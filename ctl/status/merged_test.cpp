// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/merged.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::status;
using nlohmann::json;

namespace {

constexpr const char* kController = "penstock.dev/gateway-controller";
constexpr const char* kNow = "now";

json condition(const std::string& type, const std::string& value, int generation, const std::string& time) {
    return {{"type", type}, {"status", value}, {"reason", "R"}, {"message", ""}, {"observedGeneration", generation}, {"lastTransitionTime", time}};
}

json parent(const std::string& name, const std::string& controller, const json& conditions) {
    return {{"parentRef", {{"name", name}}}, {"controllerName", controller}, {"conditions", conditions}};
}

}  // namespace

TEST_CASE("merged: conditions of others stay bit for bit, in the status and in a listener, and stale ones of ours go") {
    const json foreign = condition("conformance.gateway.networking.k8s.io/StaleCondition", "True", 1, "2020-01-01T00:00:00Z");
    const json odd = {{"type", "Unknown"}, {"extra", {1, 2}}};
    const json theirs = {
        {"addresses", json::array({{{"type", "IPAddress"}, {"value", "10.0.0.9"}}})},
        {"conditions", json::array({foreign, condition("Accepted", "Unknown", 0, "1970-01-01T00:00:00Z"), odd, condition("DefaultGateway", "True", 1, "x")})},
        {"listeners", json::array({{{"name", "http"}, {"attachedRoutes", 1}, {"conditions", json::array({foreign})}}, {{"name", "gone"}, {"conditions", json::array({foreign})}}})},
    };
    const json ours = {{"addresses", json::array()},
                       {"conditions", json::array({condition("Accepted", "True", 2, "now")})},
                       {"listeners", json::array({{{"name", "http"}, {"attachedRoutes", 2}, {"conditions", json::array({condition("Programmed", "True", 2, "now")})}}})}};
    const json result = merged(theirs, ours, kController, kNow);
    CHECK(result["conditions"] == json::array({condition("Accepted", "True", 2, "now"), foreign, odd}));
    CHECK(result["addresses"].empty());
    REQUIRE(result["listeners"].size() == 1);
    CHECK(result["listeners"][0]["attachedRoutes"] == 2);
    CHECK(result["listeners"][0]["conditions"] == json::array({condition("Programmed", "True", 2, "now"), foreign}));
    CHECK(merged(result, ours, kController, kNow) == result);
}

TEST_CASE("merged: a condition whose status did not change keeps the server's time") {
    const json theirs = {{"conditions", json::array({condition("Accepted", "True", 1, "then"), condition("Programmed", "False", 1, "then")})}};
    const json ours = {{"conditions", json::array({condition("Accepted", "True", 2, "now"), condition("Programmed", "True", 2, "now")})}};
    CHECK(merged(theirs, ours, kController, kNow)["conditions"] == json::array({condition("Accepted", "True", 2, "then"), condition("Programmed", "True", 2, "now")}));
}

TEST_CASE("merged: a time never goes back: what a node said of itself may be older than what the server was told") {
    const json theirs = {{"conditions", json::array({condition("Programmed", "False", 1, "later")})}};
    const json ours = {{"conditions", json::array({condition("Accepted", "True", 1, "earlier"), condition("Programmed", "True", 1, "earlier")})}};
    CHECK(merged(theirs, ours, kController, kNow)["conditions"] == json::array({condition("Accepted", "True", 1, "earlier"), condition("Programmed", "True", 1, "now")}));
}

TEST_CASE("merged: a list that would be longer than the API takes loses some of ours, and the least of them first") {
    const auto types = [](int foreign, const std::vector<std::string>& own) {
        json theirs = {{"conditions", json::array()}};
        for (int i = 0; i < foreign; ++i) {
            theirs["conditions"].push_back(condition("example.com/" + std::to_string(i), "True", 1, "t"));
        }
        json ours = {{"conditions", json::array()}};
        for (const std::string& type : own) {
            ours["conditions"].push_back(condition(type, "True", 1, "t"));
        }
        std::string out;
        const json result = merged(theirs, ours, kController, kNow);
        for (const json& one : result["conditions"]) {
            out += one["type"].get<std::string>() + " ";
        }
        return out;
    };
    CHECK(types(2, {"penstock.dev/A", "Accepted", "Programmed"}) == "penstock.dev/A Accepted Programmed example.com/0 example.com/1 ");
    CHECK(types(6, {"penstock.dev/A", "Accepted", "Programmed"}) == "Accepted Programmed example.com/0 example.com/1 example.com/2 example.com/3 example.com/4 example.com/5 ");
    CHECK(types(7, {"Accepted", "Programmed"}).starts_with("Accepted example.com/0 "));
    CHECK(types(9, {"Accepted"}).starts_with("example.com/0 "));

    json theirs = {{"parents", json::array()}};
    for (int i = 0; i < 31; ++i) {
        theirs["parents"].push_back(parent(std::to_string(i), "example.com/other", json::array()));
    }
    const json ours = {{"parents", json::array({parent("a", kController, json::array()), parent("b", kController, json::array())})}};
    const json result = merged(theirs, ours, kController, kNow);
    CHECK(result["parents"].size() == 32);
    CHECK(result["parents"].back() == ours["parents"][0]);
}

TEST_CASE("merged: parents and ancestors of other controllers stay, ours are replaced") {
    for (const char* list : {"parents", "ancestors"}) {
        const char* reference = std::string(list) == "parents" ? "parentRef" : "ancestorRef";
        const auto entry = [&](const std::string& name, const std::string& controller, const std::string& value) {
            json out = parent(name, controller, json::array({condition("Accepted", value, 1, "then")}));
            out[reference] = out["parentRef"];
            return out;
        };
        const json stale = entry("nowhere", "gateway.networking.k8s.io/stale-controller", "True");
        const json theirs = {{list, json::array({entry("old", kController, "True"), stale, entry("edge", kController, "True")})}};
        const json ours = {{list, json::array({entry("edge", kController, "False")})}};
        json expected = ours[list][0];
        expected["conditions"][0]["lastTransitionTime"] = kNow;
        CHECK(merged(theirs, ours, kController, kNow)[list] == json::array({stale, expected}));
        CHECK(without_ours(theirs, kController)[list] == json::array({stale}));
        CHECK(merged(nullptr, ours, kController, kNow) == ours);
    }
}

TEST_CASE("merged: our ancestors give way where others' and ours are more than the API takes") {
    json theirs = {{"ancestors", json::array()}};
    for (int i = 0; i < 15; ++i) {
        theirs["ancestors"].push_back(parent(std::to_string(i), "example.com/other", json::array()));
    }
    const json ours = {{"ancestors", json::array({parent("a", kController, json::array()), parent("b", kController, json::array())})}};
    const json result = merged(theirs, ours, kController, kNow);
    CHECK(result["ancestors"].size() == 16);
    CHECK(result["ancestors"].back() == ours["ancestors"][0]);
}

TEST_CASE("merged: a status with junk in it is no reason to end") {
    const json ours = {{"conditions", json::array({condition("Accepted", "True", 1, "now")})}, {"parents", json::array()}};
    for (const json& junk : {json(), json(1), json("x"), json::array({1}), json{{"conditions", 1}, {"parents", "x"}}, json{{"conditions", {1, nullptr, "x"}}, {"parents", {1}}}}) {
        CHECK(merged(junk, ours, kController, kNow)["conditions"][0]["type"] == "Accepted");
        (void)without_ours(junk, kController);
    }
}
