// SPDX-License-Identifier: Apache-2.0
// From what the stages found to the status of every object of ours.
#pragma once

#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/routes.hpp"
#include "ctl/compile/status.hpp"

namespace penstock::compile {

[[nodiscard]] Statuses make_statuses(const World& world, const Front& front, const std::vector<CompiledRoutePtr>& routes,
                                     const BackendPolicies& policies, const Statuses* previous);

}  // namespace penstock::compile
