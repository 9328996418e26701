// SPDX-License-Identifier: Apache-2.0
// What routes stand on: listeners with their addresses and certificates, and the policies of backends. Made of classes, Gateways, ListenerSets,
// policies, grants, namespaces, Secrets and ConfigMaps; a change of anything else, above all of routes and endpoints, leaves it as it is, the same object.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "ctl/compile/addresses.hpp"
#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/material.hpp"

namespace penstock::compile {

struct Ground {
    std::shared_ptr<const ByAge> by_age;
    MaterialCache material;
    ServingPairs pairs;
    Front front;
    BackendPolicies policies;
    AddressBookPtr book;  // who has what of pools; may be null
    std::vector<ClaimedAddress> addresses;
    // What hosts depend on beyond the ground's objects and the routes: which listeners are served, and whether policies can be kept.
    std::string shape;
    // What else it was made with.
    std::optional<AddressBook> told;
    std::set<IpAddress> others;

    [[nodiscard]] bool made_with(const AddressBook* told_now, const std::set<IpAddress>& others_now) const;
};
using GroundPtr = std::shared_ptr<const Ground>;

// `before` may be null, and `pairs` and `book` are what the compilation before had, if there was one.
struct GroundBefore {
    const Ground* ground;
    const ServingPairs* pairs;
    AddressBookPtr book;
};

[[nodiscard]] GroundPtr make_ground(const World& world, const AddressContext& context, GroundBefore before);

}  // namespace penstock::compile
