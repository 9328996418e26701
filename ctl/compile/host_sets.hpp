// SPDX-License-Identifier: Apache-2.0
// What a host leads to: the sets behind its rules, each with how many references lead there. An edit looks at the routes that come and
// go, not at all that stay: a host can have thousands.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/backends.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/routes.hpp"

namespace penstock::compile {

// What a host's rules are seen against: how a listener's routes get at the sets.
struct HostContext {
    const Front& front;
    const BackendPolicies& policies;
};

struct SetReferences {
    std::string key;  // of the ServedSet
    std::uint32_t count = 0;
    bool operator==(const SetReferences&) const = default;
};
using HostSets = std::vector<SetReferences>;  // by key, each once; no count is 0

class HostSetsEdit {
public:
    // Of a host of this listener, which is served.
    HostSetsEdit(const Listener& listener, const HostContext& context) : listener_(listener), context_(context) {}

    void comes(const CompiledRoute& route) { refer(route, 1); }
    void goes(const CompiledRoute& route) { refer(route, -1); }

    // What the host leads to now. `before` must have what goes. Backends counts each set once for the host, and hears again of a set that a
    // route comes to, as its Service may have changed.
    [[nodiscard]] HostSets apply(const HostSets& before, Backends& backends);

private:
    struct Change {
        std::int64_t by = 0;
        std::optional<ServedSet> served;  // there is one if a route comes to it
    };

    void refer(const CompiledRoute& route, int by);
    void refer(const CompiledRoute& route, const std::string& key, int by);

    const Listener& listener_;
    const HostContext& context_;
    std::map<std::string, Change> changes_;
};

}  // namespace penstock::compile
