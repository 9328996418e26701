// SPDX-License-Identifier: Apache-2.0
// From what the stages found to the status of every object of ours.
#pragma once

#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/routes.hpp"
#include "ctl/compile/status.hpp"

namespace penstock::compile {

struct StatusContext {
    const World& world;
    const Front& front;
    const CompiledRoutes& routes;
    const BackendPolicies& policies;
    const Statuses* previous;  // equal ones stay the same objects; may be null
};

// Brings the statuses up to date: those of the edited routes, and all of what is not a route.
void edit_statuses(const StatusContext& context, const std::vector<RouteEdit>& edits, Statuses& statuses);

}  // namespace penstock::compile
