// SPDX-License-Identifier: Apache-2.0
// What holds for the whole edge and not for one listener: limits, access log, tracing, metrics, ticket keys. Said by the annotations of the
// GatewayClass and by whoever starts the daemon.
#pragma once

#include <optional>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// The set that spans go to, if the class asks for them. A Service that is not there is told with the class's annotations.
[[nodiscard]] std::optional<ServedSet> resolve_tracing(Front& front, Backends& backends);

void write_edge(const Front& front, const Options& options, const std::optional<ServedSet>& tracing, fb::RootT& root);

// Nothing if the Gateway's limits are those of the edge.
[[nodiscard]] std::unique_ptr<fb::LimitsT> own_limits(const Front& front, const GatewayFront& gateway);

}  // namespace penstock::compile
