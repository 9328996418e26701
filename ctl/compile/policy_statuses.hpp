// SPDX-License-Identifier: Apache-2.0
// What BackendTLSPolicies are told: one entry per Gateway whose routes lead to a target, at most 16. A policy that no route comes to has
// no status.
#pragma once

#include <utility>
#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/routes.hpp"

namespace penstock::compile {

[[nodiscard]] std::vector<std::pair<const model::Object*, PolicyStatus>> policy_statuses(const World& world, const Front& front,
                                                                                        const CompiledRoutes& routes,
                                                                                        const BackendPolicies& policies);

}  // namespace penstock::compile
