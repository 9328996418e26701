// SPDX-License-Identifier: Apache-2.0
// The status of one object as compile sees it: conditions and counts. ctl/status merges it into what the API server has: foreign
// conditions, parents and ancestors are not known here and must stay as they are. lastTransitionTime is added there.
// Invariant: conditions are sorted by type name, one per type; parents stand in the order of spec.parentRefs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ctl/compile/conditions.hpp"
#include "ctl/model/store.hpp"

namespace penstock::compile {

using Conditions = std::vector<Condition>;

struct RouteGroupKind {
    std::string group;
    std::string kind;
    bool operator==(const RouteGroupKind&) const = default;
};

// One entry of status.listeners of a Gateway or ListenerSet.
struct ListenerStatus {
    std::string name;
    std::vector<RouteGroupKind> supported_kinds;
    std::int32_t attached_routes = 0;  // accepted ones, also when the listener is not programmed
    Conditions conditions;
    bool operator==(const ListenerStatus&) const = default;
};

struct ClassStatus {
    Conditions conditions;
    std::vector<std::string> supported_features;  // sorted, at most 64
    bool operator==(const ClassStatus&) const = default;
};

struct StatusAddress {
    std::string type;  // "IPAddress"
    std::string value;
    bool operator==(const StatusAddress&) const = default;
};

struct GatewayStatus {
    Conditions conditions;
    std::vector<StatusAddress> addresses;
    std::vector<ListenerStatus> listeners;
    std::int32_t attached_listener_sets = 0;  // accepted ones
    bool operator==(const GatewayStatus&) const = default;
};

struct ListenerSetStatus {
    Conditions conditions;
    std::vector<ListenerStatus> listeners;
    bool operator==(const ListenerSetStatus&) const = default;
};

// One entry per parentRef that is ours. The reference is copied exactly: a field that is absent in the spec stays absent.
struct RouteParentStatus {
    model::ParentRef parent_ref;
    Conditions conditions;
    bool operator==(const RouteParentStatus&) const = default;
};

struct RouteStatus {
    std::vector<RouteParentStatus> parents;
    bool operator==(const RouteStatus&) const = default;
};

// One entry per Gateway of ours that reaches the policy's target; at most 16.
struct PolicyAncestorStatus {
    model::ObjectKey gateway;
    Conditions conditions;
    bool operator==(const PolicyAncestorStatus&) const = default;
};

struct PolicyStatus {
    std::vector<PolicyAncestorStatus> ancestors;
    bool operator==(const PolicyStatus&) const = default;
};

struct ObjectStatus {
    std::int64_t generation = 0;  // metadata.generation: observedGeneration of every condition in it
    std::variant<ClassStatus, GatewayStatus, ListenerSetStatus, RouteStatus, PolicyStatus> body;
    bool operator==(const ObjectStatus&) const = default;
};

// Every object of ours that has a status. An entry is shared with the previous compilation while it is equal, so a writer may
// compare pointers. Objects that belong to another controller are absent.
using Statuses = model::ObjectMap<std::shared_ptr<const ObjectStatus>>;

// The `status` object as the Kubernetes API has it, without lastTransitionTime.
[[nodiscard]] nlohmann::json to_json(const ObjectStatus& status, const std::string& controller_name);

}  // namespace penstock::compile
