// SPDX-License-Identifier: Apache-2.0
// Puts the snapshot together: certificate, trust and host parts of every listener that is served, what TLS to backends needs, and the
// root that names all parts.
#pragma once

#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/parts.hpp"

namespace penstock::compile {

struct RootContext {
    const Front& front;
    const Options& options;
    const std::vector<std::vector<Host>>& hosts;     // by listener
    const BackendSets& sets;
    const BackendPolicies& policies;
    const std::optional<ServedSet>& tracing;
    const std::vector<std::uint32_t>& listener_ids;  // by listener
    const MadeParts* previous_parts;                 // may be null, as the next two
    const MadeHosts* previous_hosts;
    const Snapshot* previous;
};

struct MadeSnapshot {
    Snapshot snapshot;
    MadeParts parts;
    MadeHosts hosts;
};

[[nodiscard]] MadeSnapshot make_snapshot(const RootContext& context);

}  // namespace penstock::compile
