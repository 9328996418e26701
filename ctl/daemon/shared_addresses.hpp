// SPDX-License-Identifier: Apache-2.0
// Which of a Gateway's addresses are on one node of several: those that it was given or asked for, and that are not a node's own. Pure.
#pragma once

#include <vector>

#include "ctl/compile/compile.hpp"

namespace penstock::daemon {

// Of a Gateway, or of the Gateway that a ListenerSet is for, as its status tells them.
[[nodiscard]] std::vector<IpAddress> shared_addresses(const compile::Compiled& compiled, const model::Object& object);

}  // namespace penstock::daemon
