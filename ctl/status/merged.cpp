// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/merged.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "ctl/compile/conditions.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

constexpr std::array<const char*, 2> kByController = {"parents", "ancestors"};
constexpr std::size_t kAncestorsMax = 16;  // of the CRD

std::string text_at(const json& of, const char* name) {
    return of.is_object() && of.contains(name) && of[name].is_string() ? of[name].get<std::string>() : std::string();
}

const json& list_at(const json& of, const char* name) {
    static const json kNone = json::array();
    return of.is_object() && of.contains(name) && of[name].is_array() ? of[name] : kNone;
}

bool is_our_type(const std::string& type) {
    static constexpr std::array kTypes = {
#define PST_X(type, name) std::string_view(name),
        PST_CONDITION_TYPES(PST_X)
#undef PST_X
    };
    // A domain of one's own tells whose a condition is: "penstock.dev/Programmed".
    return type.starts_with("penstock.dev/") || std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

const json* find_by(const json& list, const char* member, const json& value) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const json& item) { return item.is_object() && item.contains(member) && item[member] == value; });
    return found != list.end() ? &*found : nullptr;
}

// Ours in the order that we give them, with the server's time where only that differs; then the others in theirs.
json merged_conditions(const json& theirs, const json& ours) {
    json out = json::array();
    for (const json& condition : ours) {
        json next = condition;
        const json* before = find_by(theirs, "type", condition["type"]);
        if (before != nullptr && before->contains("lastTransitionTime") && before->value("status", "") == condition["status"]) {
            next["lastTransitionTime"] = (*before)["lastTransitionTime"];
        }
        out.push_back(std::move(next));
    }
    for (const json& condition : theirs) {
        if (!is_our_type(text_at(condition, "type"))) {
            out.push_back(condition);
        }
    }
    return out;
}

// One of ours and what the server has in its place: conditions are merged, the rest is ours.
json merged_item(const json* theirs, const json& ours) {
    json out = ours;
    if (ours.contains("conditions")) {
        out["conditions"] = merged_conditions(theirs != nullptr ? list_at(*theirs, "conditions") : json::array(), ours["conditions"]);
    }
    return out;
}

bool is_ours(const json& item, const std::string& controller) { return text_at(item, "controllerName") == controller; }

// An entry of ours for one parent or ancestor; the server may have filled in defaults of its reference.
const json* entry_like(const json& list, const json& entry, const char* reference, const std::string& controller) {
    for (const json& one : list) {
        if (is_ours(one, controller) && one.contains(reference) && one[reference] == entry[reference]) {
            return &one;
        }
    }
    return nullptr;
}

json merged_entries(const json& theirs, const json& ours, const char* reference, const std::string& controller) {
    json out = json::array();
    for (const json& one : theirs) {
        if (!is_ours(one, controller)) {
            out.push_back(one);
        }
    }
    for (const json& entry : ours) {
        out.push_back(merged_item(entry_like(theirs, entry, reference, controller), entry));
    }
    return out;
}

json merged_listeners(const json& theirs, const json& ours) {
    json out = json::array();
    for (const json& listener : ours) {
        out.push_back(merged_item(find_by(theirs, "name", listener["name"]), listener));
    }
    return out;
}

}  // namespace

json merged(const json& theirs, const json& ours, const std::string& controller) {
    json out = theirs.is_object() ? theirs : json::object();
    for (const auto& [name, value] : ours.items()) {
        if (name == "conditions") {
            out[name] = merged_conditions(list_at(theirs, "conditions"), value);
        } else if (name == "listeners") {
            out[name] = merged_listeners(list_at(theirs, "listeners"), value);
        } else if (name == "parents") {
            out[name] = merged_entries(list_at(theirs, "parents"), value, "parentRef", controller);
        } else if (name == "ancestors") {
            out[name] = merged_entries(list_at(theirs, "ancestors"), value, "ancestorRef", controller);
            while (out[name].size() > kAncestorsMax && is_ours(out[name].back(), controller)) {
                out[name].erase(out[name].size() - 1);
            }
        } else {
            out[name] = value;
        }
    }
    return out;
}

json without_ours(const json& theirs, const std::string& controller) {
    json out = theirs.is_object() ? theirs : json::object();
    for (const char* name : kByController) {
        if (out.contains(name) && out[name].is_array()) {
            json kept = json::array();
            for (const json& one : out[name]) {
                if (!is_ours(one, controller)) {
                    kept.push_back(one);
                }
            }
            out[name] = std::move(kept);
        }
    }
    return out;
}

}  // namespace penstock::status
