// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/stand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "ctl/status/book.hpp"
#include "ctl/status/conditions_json.hpp"

namespace penstock::status {

using nlohmann::json;

namespace {

constexpr const char* kPending = "not every node has taken this configuration yet";
constexpr const char* kUnassigned = "AddressNotAssigned";
constexpr std::string_view kGateway = "Gateway/";
constexpr std::size_t kNamesMax = 3;  // in one message

bool is_pending(const json& condition, std::int64_t generation) {
    return text_at(condition, "status") == "False" && text_at(condition, "reason") == "Pending" && generation_of(condition) == generation;
}

// "a, b, c and 2 others"
std::string listed(const std::vector<std::string>& names, const char* by) {
    std::string out = fmt::format("{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), kNamesMax)), by));
    if (names.size() > kNamesMax) {
        out += fmt::format(" and {} others", names.size() - kNamesMax);
    }
    return out;
}

std::string counted(const Stand& at) {
    std::string out = fmt::format("programmed on {} of {} nodes", at.nodes - at.behind.size() - at.refused.size(), at.nodes);
    return at.behind.empty() ? out : out + "; waiting for " + listed(at.behind, ", ");
}

// What clients send to its addresses is not served by it.
std::string unreached(const Stand& at) {
    std::vector<std::string> names;
    for (const IpAddress& address : at.nowhere) {
        names.push_back(address.text());
    }
    if (!names.empty()) {
        return "no node says that it has " + listed(names, ", ");
    }
    for (const auto& [node, address] : at.needed) {
        names.push_back(node + ", which has " + address.text());
    }
    return names.empty() ? "" : "waiting for " + listed(names, "; ");
}

// What nodes refused, each thing once with all who did.
std::vector<Failure> failures_of(const std::string& object, const Stand& at) {
    std::map<std::pair<Failure::Kind, std::string>, std::vector<std::string>> texts;
    for (const auto& [node, refusals] : at.refused) {
        for (const Refusal& refusal : refusals) {
            texts[{refusal.kind, refusal.listener}].push_back(node + ": " + refusal.message);
        }
    }
    std::vector<Failure> out;
    for (const auto& [what, told] : texts) {
        const auto& [kind, listener] = what;
        out.push_back({.kind = kind, .object = object, .listener = listener, .message = (listener.empty() ? counted(at) + "; " : "") + listed(told, "; ")});
    }
    return out;
}

}  // namespace

const json* programmed_of(const json& status) {
    if (!status.is_object() || !status.contains("conditions") || !status["conditions"].is_array()) {
        return nullptr;
    }
    for (const json& condition : status["conditions"]) {
        if (text_at(condition, "type") == "Programmed") {
            return &condition;
        }
    }
    return nullptr;
}

bool stands(const json& status) {
    const json* whole = programmed_of(status);
    return whole != nullptr && text_at(*whole, "status") == "True";
}

bool is_unassigned(const json& status) {
    const json* whole = programmed_of(status);
    return whole != nullptr && text_at(*whole, "reason") == kUnassigned;
}

bool says_programmed(const json& status) {
    const json& listeners = status.value("listeners", json::array());
    return stands(status) || std::any_of(listeners.begin(), listeners.end(), [](const json& listener) {
               const json* condition = programmed_of(listener);
               return condition != nullptr && text_at(*condition, "status") == "True";
           });
}

bool was_told(const json& server, std::int64_t generation) {
    const json* whole = programmed_of(server);
    return whole != nullptr && generation_of(*whole) >= generation && text_at(*whole, "reason") != "Pending";
}

json edited(const std::string& object, const json& wanted, std::int64_t generation, const Stand& at) {
    const std::string why = unreached(at);
    const Phase phase = why.empty() ? Phase::taken : Phase::waiting;
    json next = corrected({.object = object, .generation = generation, .status = [&wanted] { return wanted; }}, phase, failures_of(object, at));
    const json* whole = programmed_of(next);
    if (whole != nullptr && !why.empty() && is_pending(*whole, generation)) {
        const bool unassigned = !at.nowhere.empty() && object.starts_with(kGateway);  // listeners and ListenerSets have no such reason
        set_condition(next["conditions"], "Programmed", "False", unassigned ? kUnassigned : "Pending", why, generation);
    } else if (whole != nullptr && !at.behind.empty() && text_at(*whole, "status") == "True") {
        set_condition(next["conditions"], "Programmed", "True", text_at(*whole, "reason"), counted(at), generation);
    }
    return next;
}

json pending(const std::string& object, const json& wanted, const json& server, std::int64_t generation) {
    json next = corrected({.object = object, .generation = generation, .status = [&wanted] { return wanted; }}, Phase::waiting, {});
    const json* before = programmed_of(server);
    const std::string said = before != nullptr && is_pending(*before, generation) ? text_at(*before, "message") : kPending;
    set_condition(next["conditions"], "Programmed", "False", "Pending", said, generation);
    return next;
}

}  // namespace penstock::status
