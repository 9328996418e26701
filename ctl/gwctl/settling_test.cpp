// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/settling.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::gwctl;
using json = nlohmann::json;

namespace {

constexpr const char* kUs = "penstock.dev/gateway-controller";
constexpr const char* kOthers = "example.com/gateways";

json accepted(const char* status, int generation) { return {{"type", "Accepted"}, {"status", status}, {"reason", "R"}, {"observedGeneration", generation}}; }

json entry(const char* controller, json ref, json condition) { return {{"controllerName", controller}, {"parentRef", std::move(ref)}, {"conditions", json::array({std::move(condition)})}}; }

json route(json refs, json parents) {
    return {{"kind", "HTTPRoute"}, {"metadata", {{"name", "a"}, {"namespace", "shop"}, {"generation", 2}}}, {"spec", {{"parentRefs", std::move(refs)}}}, {"status", {{"parents", std::move(parents)}}}};
}

// "waits", "good", or where it is not good.
std::string verdict(const json& object) {
    const auto bad = not_good_of(object);
    return !bad ? "waits" : bad->empty() ? "good" : bad->at(0)["where"].get<std::string>();
}

}  // namespace

TEST_CASE("settling: a route waits for a word on each Gateway that it names, and for no other") {
    const json edge = {{"name", "edge"}};
    const json told = {{"group", "gateway.networking.k8s.io"}, {"kind", "Gateway"}, {"namespace", "shop"}, {"name", "edge"}};
    const json port = {{"name", "edge"}, {"port", 80}};
    const json section = {{"name", "edge"}, {"sectionName", "http"}};
    const json other = {{"name", "other"}, {"namespace", "infra"}};
    const json set = {{"name", "edge"}, {"kind", "ListenerSet"}};
    const json service = {{"name", "cart"}, {"kind", "Service"}, {"group", ""}};
    struct Row {
        const char* what;
        json object;
        const char* want;
    };
    const Row rows[] = {
        {"nobody has spoken", route(json::array({edge}), json::array()), "waits"},
        {"no status", {{"kind", "HTTPRoute"}, {"spec", {{"parentRefs", json::array({edge})}}}}, "waits"},
        {"ours", route(json::array({edge}), json::array({entry(kUs, told, accepted("True", 2))})), "good"},
        {"ours is bad", route(json::array({edge}), json::array({entry(kUs, edge, accepted("False", 2))})), "parent edge"},
        {"ours is of before", route(json::array({edge}), json::array({entry(kUs, edge, accepted("True", 1))})), "waits"},
        {"ours is open", route(json::array({edge}), json::array({entry(kUs, edge, accepted("Unknown", 2))})), "waits"},
        {"other parts of a Gateway", route(json::array({port, section}), json::array({entry(kUs, edge, accepted("True", 2)), entry(kUs, section, accepted("True", 2))})), "waits"},
        {"all parts of a Gateway", route(json::array({port, section}), json::array({entry(kUs, port, accepted("True", 2)), entry(kUs, section, accepted("False", 2))})), "parent edge/http"},
        {"a set is no Gateway", route(json::array({set}), json::array({entry(kUs, edge, accepted("True", 2))})), "waits"},
        {"others speak of theirs first", route(json::array({edge, other}), json::array({entry(kOthers, other, accepted("True", 2))})), "waits"},
        {"others speak of theirs", route(json::array({edge, other}), json::array({entry(kOthers, other, accepted("False", 2)), entry(kUs, edge, accepted("True", 2))})), "parent other"},
        {"others spoke of a parent of before", route(json::array({edge}), json::array({entry(kOthers, other, accepted("False", 1)), entry(kUs, edge, accepted("True", 2))})), "good"},
        {"others spoke of what is ours now", route(json::array({edge}), json::array({entry(kOthers, edge, accepted("False", 2)), entry(kUs, edge, accepted("True", 2))})), "good"},
        {"others speak of what is theirs", route(json::array({edge}), json::array({entry(kOthers, edge, accepted("True", 2))})), "good"},
        {"others spoke of what is ours now, we not yet", route(json::array({edge}), json::array({entry(kOthers, edge, accepted("True", 2)), entry(kUs, edge, accepted("True", 1))})), "waits"},
        {"a mesh", route(json::array({service}), json::array()), "good"},
        {"no parents", route(json::array(), json::array()), "good"},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        CHECK(verdict(row.object) == row.want);
    }
}

TEST_CASE("settling: of an object itself conditions of known types count, each for its generation") {
    const json known = accepted("True", 2);
    const json strange = {{"type", "example.com/Shiny"}, {"status", "False"}};
    struct Row {
        json conditions;
        json of_listener;
        const char* want;
    };
    const Row rows[] = {
        {json::array(), json::array(), "waits"},
        {json::array({strange}), json::array(), "waits"},
        {json::array({strange, known}), json::array(), "good"},
        {json::array({known, {{"type", "ResolvedRefs"}, {"status", "True"}, {"observedGeneration", 1}}}), json::array(), "waits"},
        {json::array({known}), json::array({accepted("True", 1)}), "waits"},
        {json::array({known}), json::array({accepted("False", 2)}), "listener http"},
        {json::array({known, {{"type", "Programmed"}, {"status", "False"}, {"reason", "Pending"}, {"observedGeneration", 2}}}), json::array(), "waits"},
        {json::array({known, {{"type", "Programmed"}, {"status", "False"}, {"reason", "Invalid"}, {"observedGeneration", 2}}}), json::array(), ""},
        {json::array({known}), json::array({{{"type", "Conflicted"}, {"status", "True"}, {"observedGeneration", 2}}}), "listener http"},
        {json::array({known}), json::array({{{"type", "Conflicted"}, {"status", "False"}, {"observedGeneration", 2}}}), "good"},
    };
    for (const Row& row : rows) {
        INFO(row.conditions << row.of_listener);
        CHECK(verdict({{"kind", "Gateway"}, {"metadata", {{"name", "a"}, {"generation", 2}}}, {"status", {{"conditions", row.conditions}, {"listeners", json::array({{{"name", "http"}, {"conditions", row.of_listener}}})}}}}) == row.want);
    }
}
