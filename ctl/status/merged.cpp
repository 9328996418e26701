// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/merged.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "ctl/compile/conditions.hpp"
#include "ctl/status/conditions_json.hpp"
#include "userspace/base/time.hpp"

namespace penstock::status {

namespace {

using nlohmann::json;

constexpr std::array<const char*, 2> kByController = {"parents", "ancestors"};
// Of the CRDs: what has more is refused whole.
constexpr std::size_t kParentsMax = 32;
constexpr std::size_t kAncestorsMax = 16;
constexpr std::size_t kConditionsMax = 8;
constexpr std::string_view kOwnDomain = "penstock.dev/";  // of conditions that the Gateway API does not have

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
    return type.starts_with(kOwnDomain) || std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

const json* find_by(const json& list, const char* member, const json& value) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const json& item) { return item.is_object() && item.contains(member) && item[member] == value; });
    return found != list.end() ? &*found : nullptr;
}

// Others' conditions stay; where there is not room for all, ours give way, the last first, and those that the Gateway API does not have before.
void make_room(json& ours, std::size_t others) {
    const std::size_t room = kConditionsMax - std::min(others, kConditionsMax);
    for (const bool own_domain : {true, false}) {
        for (std::size_t i = ours.size(); i-- > 0 && ours.size() > room;) {
            if (!own_domain || text_at(ours[i], "type").starts_with(kOwnDomain)) {
                ours.erase(i);
            }
        }
    }
}

// Ours in the order that we give them, then the others in theirs. The time of a condition is the server's where only that differs, and now
// where the server has another status: what a node says of itself may be older than what the server was told meanwhile.
json merged_conditions(const json& theirs, const json& ours, const std::string& now) {
    json out = json::array();
    json others = json::array();
    for (const json& condition : theirs) {
        if (!is_our_type(text_at(condition, "type"))) {
            others.push_back(condition);
        }
    }
    for (const json& condition : ours) {
        json next = condition;
        if (const json* before = find_by(theirs, "type", condition["type"]); before != nullptr && before->contains("lastTransitionTime")) {
            next["lastTransitionTime"] = text_at(*before, "status") == text_at(condition, "status") ? (*before)["lastTransitionTime"] : json(now);
        }
        out.push_back(std::move(next));
    }
    make_room(out, others.size());
    out.insert(out.end(), others.begin(), others.end());
    return out;
}

// One of ours and what the server has in its place: conditions are merged, the rest is ours.
json merged_item(const json* theirs, const json& ours, const std::string& now) {
    json out = ours;
    if (ours.contains("conditions")) {
        out["conditions"] = merged_conditions(theirs != nullptr ? list_at(*theirs, "conditions") : json::array(), ours["conditions"], now);
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

struct Entries {
    const char* reference;
    std::size_t most;
};

json merged_entries(const json& theirs, const json& ours, const Entries& of, const std::string& controller, const std::string& now) {
    json out = json::array();
    for (const json& one : theirs) {
        if (!is_ours(one, controller)) {
            out.push_back(one);
        }
    }
    for (const json& entry : ours) {
        if (out.size() < of.most) {
            out.push_back(merged_item(entry_like(theirs, entry, of.reference, controller), entry, now));
        }
    }
    return out;
}

json merged_listeners(const json& theirs, const json& ours, const std::string& now) {
    json out = json::array();
    for (const json& listener : ours) {
        out.push_back(merged_item(find_by(theirs, "name", listener["name"]), listener, now));
    }
    return out;
}

}  // namespace

json merged(const json& theirs, const json& ours, const std::string& controller, const std::string& now) {
    json out = theirs.is_object() ? theirs : json::object();
    for (const auto& [name, value] : ours.items()) {
        if (name == "conditions") {
            out[name] = merged_conditions(list_at(theirs, "conditions"), value, now);
        } else if (name == "listeners") {
            out[name] = merged_listeners(list_at(theirs, "listeners"), value, now);
        } else if (name == "parents") {
            out[name] = merged_entries(list_at(theirs, "parents"), value, {"parentRef", kParentsMax}, controller, now);
        } else if (name == "ancestors") {
            out[name] = merged_entries(list_at(theirs, "ancestors"), value, {"ancestorRef", kAncestorsMax}, controller, now);
        } else {
            out[name] = value;
        }
    }
    return out;
}

std::string waiting_status(std::int64_t generation, std::int64_t now_s) {
    json conditions = json::array();
    for (const char* type : {"Accepted", "Programmed"}) {
        conditions.push_back({{"type", type}, {"status", "Unknown"}, {"reason", "Pending"}, {"message", "Waiting for controller"}, {"observedGeneration", generation}, {"lastTransitionTime", rfc3339(now_s)}});
    }
    return json{{"addresses", json::array()}, {"listeners", json::array()}, {"conditions", std::move(conditions)}}.dump();
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
