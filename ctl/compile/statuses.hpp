// SPDX-License-Identifier: Apache-2.0
// From what the stages found to the status of every object of ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/policy_statuses.hpp"
#include "ctl/compile/status.hpp"

namespace penstock::compile {

// What classes, Gateways and ListenerSets tell beside what the front says.
struct FrontFacts {
    std::vector<std::int32_t> attached;  // routes, by listener
    std::string tracing_fault;           // of the class that says what holds for the edge; "": none
};

struct StatusContext {
    const World& world;
    const Front& front;
    const BackendPolicies& policies;
    const Reach& reach;
    bool policies_moved;  // whether what policies are told may be another than in `statuses`
    const FrontFacts& facts;
    const FrontFacts* facts_before;  // by which `statuses` tell of the same front; null: all but routes is told anew
    const Statuses* previous;  // equal ones stay the same objects; may be null
};

// Brings the statuses up to date: those of the edited routes, of policies, and of what has listeners or is a class where that changed.
void edit_statuses(const StatusContext& context, const std::vector<RouteEdit>& edits, Statuses& statuses);

}  // namespace penstock::compile
