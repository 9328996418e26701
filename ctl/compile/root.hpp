// SPDX-License-Identifier: Apache-2.0
// Puts the snapshot together: certificate, trust and host parts of every listener that is served, what TLS to backends needs, and the
// root that names all parts.
#pragma once

#include <string>
#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/parts.hpp"

namespace penstock::compile {

struct RootContext {
    const Front& front;
    const Options& options;
    const Hosts& hosts;
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
    std::string frame;                // the root without what names parts, as bytes
};

// `parts` has the hosts' and the sets'; of the others those that `memory` names.
[[nodiscard]] Snapshot make_snapshot(const RootContext& context, Parts parts, RootMemory& memory);

}  // namespace penstock::compile
