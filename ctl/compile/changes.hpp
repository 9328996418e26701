// SPDX-License-Identifier: Apache-2.0
// What differs between two stores, sorted by what it reaches. Objects are immutable: the same pointer is the same content.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "ctl/compile/world.hpp"
#include "ctl/model/store.hpp"

namespace penstock::compile {

struct Changes {
    std::vector<model::ObjectKey> routes;  // by key
    std::set<std::string> services;        // "ns/name": the Service itself
    std::set<std::string> endpoints;       // "ns/name" of Services whose slices changed
    bool ground = false;                   // what every route is judged by: classes, Gateways, sets, policies, grants, namespaces
    bool material = false;                 // Secrets and ConfigMaps, which some of these name

    [[nodiscard]] static bool is_route(model::Kind kind);
};

// Brings `slices`, those of `old`, up to date as well.
[[nodiscard]] Changes changes_between(const model::Store& old, const model::Store& now, SliceIndex& slices);

// All routes of the store.
[[nodiscard]] std::vector<model::ObjectKey> routes_of(const model::Store& store);

}  // namespace penstock::compile
