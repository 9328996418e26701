// SPDX-License-Identifier: Apache-2.0
// For tests of the agreement: the status of a Gateway, reports of nodes, and what is said of it.
#pragma once

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/status/agreement.hpp"
#include "ctl/status/conditions_json.hpp"
#include "tools/test/catch.hpp"

namespace penstock::status::testing {

using nlohmann::json;

inline constexpr const char* kEdge = "Gateway/shop/edge";
inline const IpAddress kAddress = *IpAddress::parse("192.0.2.7");
using Here = std::set<IpAddress>;

inline json condition(const char* type, const char* status, const char* reason, std::int64_t generation) {
    return {{"type", type}, {"status", status}, {"reason", reason}, {"message", "m"}, {"observedGeneration", generation}, {"lastTransitionTime", "t0"}};
}

// A Gateway with the listeners http and https.
inline json gateway(std::int64_t generation, const char* programmed = "True") {
    json listeners = json::array();
    for (const char* name : {"http", "https"}) {
        listeners.push_back({{"name", name}, {"attachedRoutes", 1}, {"conditions", json::array({condition("Accepted", "True", "Accepted", generation), condition("Programmed", programmed, "Programmed", generation)})}});
    }
    return {{"conditions", json::array({condition("Accepted", "True", "Accepted", generation), condition("Programmed", programmed, std::string_view(programmed) == "True" ? "Programmed" : "Invalid", generation)})},
            {"listeners", listeners}};
}

inline json unassigned() {
    json status = gateway(2, "False");
    status["conditions"][1]["reason"] = "AddressNotAssigned";
    return status;
}

inline NodeReport took(std::int64_t generation, std::vector<Refusal> refusals = {}, const char* uid = "u") {
    return make_report({{kEdge, {.uid = uid, .generation = generation, .refusals = std::move(refusals)}}});
}

// As above, of a Gateway whose address nodes share out; nothing of addresses is told without `here`.
inline NodeReport sharing(std::int64_t generation, const std::optional<std::set<IpAddress>>& here) {
    NodeReport report = took(generation);
    report.objects.at(kEdge).shared = {kAddress};
    report.here = here;
    return report;
}
inline NodeReport theirs(std::int64_t generation, const std::optional<std::set<IpAddress>>& here) {
    NodeReport report = took(generation);
    report.here = here;
    return report;
}

inline void tell(Agreement& agreement, NodeReport mine, const std::set<std::string>& live, const std::map<std::string, NodeReport>& reports) {
    agreement.known(true);
    agreement.took(std::move(mine));
    agreement.live(live);
    for (const auto& [node, report] : reports) {
        agreement.heard(node, report);
    }
}

inline std::string text_of(const json& conditions) {
    const auto found = std::find_if(conditions.begin(), conditions.end(), [](const json& one) { return one["type"] == "Programmed"; });
    return (*found)["status"].get<std::string>() + " " + (*found)["reason"].get<std::string>() + ": " + (*found)["message"].get<std::string>();
}

inline bool all_timed(const json& status) {
    bool all = true;
    for_each_conditions(status, "shop", [&all](const std::string& /*where*/, const json& conditions) {
        all = all && std::all_of(conditions.begin(), conditions.end(), [](const json& one) { return one.contains("lastTransitionTime"); });
    });
    return all;
}

// "stays", "as it is", or what Programmed says.
inline std::string said(const std::optional<json>& status, const json& wanted) {
    CHECK((!status || all_timed(*status)));  // a server refuses conditions without
    return !status ? "stays" : *status == wanted ? "as it is" : text_of((*status)["conditions"]);
}

inline constexpr const char* kWaiting = "False Pending: not every node has taken this configuration yet";

}  // namespace penstock::status::testing
