// SPDX-License-Identifier: Apache-2.0
// What holds for the whole edge and not for one listener: limits, access log, tracing, metrics, ticket keys. Said by the annotations of the
// GatewayClass and by whoever starts the daemon.
#pragma once

#include <optional>
#include <string>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// Where spans go.
struct Tracing {
    std::optional<ServedSet> set;  // nothing: nowhere
    std::string fault;             // of the annotation that names a Service which cannot be had; "": none
};

[[nodiscard]] Tracing resolve_tracing(const Front& front, Backends& backends);

void write_edge(const Front& front, const Options& options, const std::optional<ServedSet>& tracing, fb::RootT& root);

// Nothing if the Gateway's limits are those of the edge.
[[nodiscard]] std::unique_ptr<fb::LimitsT> own_limits(const Front& front, const GatewayFront& gateway);

}  // namespace penstock::compile
