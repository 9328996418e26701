// SPDX-License-Identifier: Apache-2.0
// The steering tables from listeners, their hosts and backend sets.
#pragma once

#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/steering.hpp"

namespace penstock::compile {

struct SteerContext {
    const Front& front;
    const Hosts& hosts;
    const BackendSets& sets;
    const Options& options;
    const std::vector<std::uint32_t>& listener_ids;  // by listener
    IdTaker& service_ids;
    IdTaker& backend_ids;
};

[[nodiscard]] Steering make_steering(SteerContext& context);

}  // namespace penstock::compile
