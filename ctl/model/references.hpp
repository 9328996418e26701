// SPDX-License-Identifier: Apache-2.0
// The references to other objects that objects make, with the paths where they stand. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/model/object.hpp"

namespace penstock::model {

enum class Role { gateway_class, parent, backend, certificate, authority, target };

struct Reference {
    Role role = Role::backend;
    std::string path;   // "spec.rules[0].backendRefs[1]"
    std::string group;
    std::string kind;
    std::string ns;     // where the target is; "" for kinds without namespaces
    std::string name;
    std::optional<std::string> section;  // of a parent or target
    std::optional<std::int32_t> port;    // of a parent or backend
    std::int32_t weight = 1;             // of a backend
};

std::vector<Reference> references_of(const Object& object);
// Those to what it belongs to: its class, its parents.
std::vector<Reference> owners_of(const Object& object);

// The model's kind that a reference means; nothing if we do not know it.
std::optional<Kind> kind_of(const Reference& reference);
// "Service shop/cart"
std::string text_of(const Reference& reference);

}  // namespace penstock::model
