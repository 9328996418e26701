// SPDX-License-Identifier: Apache-2.0
// What BackendTLSPolicies are told: one entry per Gateway whose routes lead to a target, at most 16. A policy that no route comes to has
// no status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/hosts.hpp"
#include "userspace/base/piece_map.hpp"

namespace penstock::compile {

// By "ns/service": the Gateways (indices into Front.gateways) whose routes lead there by what can be TLS, and in how many places of routes.
using Reach = PieceMap<std::string, std::map<std::size_t, std::uint32_t>>;

// Brings `reach` up to date. True if a Gateway came to a Service, or left it.
bool edit_reach(const Front& front, const std::vector<RouteEdit>& edits, Reach& reach);

// Of all policies, in their order; one without ancestors has no status.
[[nodiscard]] std::vector<PolicyStatus> policy_statuses(const World& world, const Front& front, const Reach& reach, const BackendPolicies& policies);

}  // namespace penstock::compile
