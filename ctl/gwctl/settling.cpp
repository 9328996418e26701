// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/settling.hpp"

#include <string>
#include <tuple>

#include "ctl/compile/compile.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/object_view.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

// Whether a status speaks of this generation, and of none before it.
bool speaks_of(const json& status, std::uint64_t generation) {
    bool said = false;
    bool late = false;
    each_condition(status, [&](const std::string& /*where*/, const json& condition) {
        if (is_known_type(text_at(condition, {"type"}))) {
            said = true;
            const bool open = text_at(condition, {"status"}) == "Unknown" || text_at(condition, {"reason"}) == "Pending";
            late |= open || count_at(condition, {"observedGeneration"}) < generation;
        }
    });
    return said && !late;
}

// A parentRef with what it leaves out.
using Parent = std::tuple<std::string, std::string, std::string, std::string, std::string, std::uint64_t>;
Parent parent_of(const json& ref, const std::string& ns) {
    const auto or_default = [&](const char* member, const std::string& absent) { return ref.is_object() && ref.contains(member) ? text_at(ref, {member}) : absent; };
    return {or_default("group", model::kGatewayGroup), or_default("kind", "Gateway"), or_default("namespace", ns), text_at(ref, {"name"}), text_at(ref, {"sectionName"}), count_at(ref, {"port"})};
}

// Of a mesh's Services perhaps nobody speaks.
bool has_controller(const Parent& parent) {
    const auto& [group, kind, ns, name, section, port] = parent;
    return group == model::kGatewayGroup && (kind == "Gateway" || kind == "ListenerSet");
}

// What is said of a route's parent; null if that is still to come. Where Penstock speaks of it, others' words are from before.
const json* entry_of(const json& object, const Parent& parent) {
    const json* found = nullptr;
    for (const json& entry : list_at(object, {"status", "parents"})) {
        if (parent_of(at(entry, {"parentRef"}), text_at(object, {"metadata", "namespace"})) != parent) {
            continue;
        }
        const bool fresh = speaks_of({{"parents", json::array({entry})}}, count_at(object, {"metadata", "generation"}));
        if (text_at(entry, {"controllerName"}) == compile::kControllerName) {
            return fresh ? &entry : nullptr;
        }
        found = found == nullptr && fresh ? &entry : found;
    }
    return found;
}

// The status with what counts of it; nothing if some is still to come.
std::optional<json> settled(const json& object) {
    const json& status = at(object, {"status"});
    if (!text_at(object, {"kind"}).ends_with("Route")) {
        return speaks_of(status, count_at(object, {"metadata", "generation"})) ? std::optional<json>(status) : std::nullopt;
    }
    json parents = json::array();
    for (const json& ref : list_at(object, {"spec", "parentRefs"})) {
        const Parent parent = parent_of(ref, text_at(object, {"metadata", "namespace"}));
        const json* entry = has_controller(parent) ? entry_of(object, parent) : nullptr;
        if (entry != nullptr) {
            parents.push_back(*entry);
        } else if (has_controller(parent)) {
            return std::nullopt;
        }
    }
    return json{{"parents", std::move(parents)}};
}

}  // namespace

std::optional<json> not_good_of(const json& object) {
    const std::optional<json> status = settled(object);
    if (!status) {
        return std::nullopt;
    }
    json list = json::array();
    each_condition(*status, [&](const std::string& where, const json& condition) {
        if (is_not_good(text_at(condition, {"type"}), text_at(condition, {"status"}))) {
            list.push_back(condition);
            list.back()["object"] = {{"kind", text_at(object, {"kind"})}, {"namespace", text_at(object, {"metadata", "namespace"})}, {"name", text_at(object, {"metadata", "name"})}};
            list.back()["where"] = where;
        }
    });
    return list;
}

}  // namespace penstock::gwctl
