// SPDX-License-Identifier: Apache-2.0
// Puts the snapshot together: certificate and trust parts of every listener that is served, what TLS to backends needs, the lists of all
// parts, one for each piece of their map, and the root that names the lists.
#pragma once

#include <string>
#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/parts.hpp"

namespace penstock::compile {

struct RootContext {
    const Front& front;
    const Options& options;
    const BackendSets& sets;
    const BackendPolicies& policies;
    const std::optional<ServedSet>& tracing;
    const std::vector<std::uint32_t>& listener_ids;  // by listener
    const Parts* previous_parts;                     // may be null, as the next
    const Snapshot* previous;
};

// What this stage remembers of the compilation before.
struct RootMemory {
    std::vector<std::string> others;  // paths of the parts that are neither hosts nor sets
    std::vector<ListPtr> lists;       // of each piece of the parts
};

// `parts` has the hosts' and the sets'; of the others those that `memory` names.
[[nodiscard]] Snapshot make_snapshot(const RootContext& context, Parts parts, RootMemory& memory);

}  // namespace penstock::compile
