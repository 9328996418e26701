// SPDX-License-Identifier: Apache-2.0
// What objects of several kinds have in common: references, selectors. Structs are plain data: a member's initializer is the default that
// the CRD fills in; std::optional stands where absent means something else than any value. Enumerations of the API are strings: decoding has
// checked them where the CRD does, and where it does not, the controller must tell by a condition.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace penstock::model {

inline constexpr const char* kGatewayGroup = "gateway.networking.k8s.io";
inline constexpr const char* kExperimentalGroup = "gateway.networking.x-k8s.io";

using Labels = std::map<std::string, std::string>;

struct Metadata {
    std::string uid;
    std::int64_t generation = 0;         // 0: not given
    std::string resource_version;
    Labels labels;
    Labels annotations;
    std::int64_t creation_s = 0;         // Unix time; 0: not given
    std::optional<std::int64_t> deletion_s;

    bool operator==(const Metadata&) const = default;
};

// spec.parentRefs[] of a route. Group and kind are always set by decoding (the CRD has defaults).
struct ParentRef {
    std::optional<std::string> group;
    std::optional<std::string> kind;
    std::optional<std::string> ns;
    std::string name;
    std::optional<std::string> section_name;
    std::optional<std::int32_t> port;

    bool operator==(const ParentRef&) const = default;
};

// A Secret by default. Other kinds decode: the listener's condition tells.
struct SecretRef {
    std::string group;
    std::string kind = "Secret";
    std::string name;
    std::optional<std::string> ns;

    bool operator==(const SecretRef&) const = default;
};

// Any object of one's own or, with `ns`, of another namespace. No defaults.
struct ObjectRef {
    std::string group;
    std::string kind;
    std::string name;
    std::optional<std::string> ns;

    bool operator==(const ObjectRef&) const = default;
};

// A backend without a weight: of mirrors and external authorization.
struct BackendObjectRef {
    std::string group;
    std::string kind = "Service";
    std::string name;
    std::optional<std::string> ns;
    std::optional<std::int32_t> port;  // set for every Service

    bool operator==(const BackendObjectRef&) const = default;
};

struct BackendRef : BackendObjectRef {
    std::int32_t weight = 1;  // 0 to 1,000,000

    bool operator==(const BackendRef&) const = default;
};

struct LabelRequirement {
    std::string key;
    std::string op;  // In, NotIn, Exists, DoesNotExist
    std::vector<std::string> values;

    bool operator==(const LabelRequirement&) const = default;
};

// Empty: selects all.
struct LabelSelector {
    Labels match_labels;
    std::vector<LabelRequirement> match_expressions;

    bool operator==(const LabelSelector&) const = default;
};

}  // namespace penstock::model
