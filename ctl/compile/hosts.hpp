// SPDX-License-Identifier: Apache-2.0
// The hosts of one listener: which routes serve each, and their matches in the order of precedence of the Gateway API.
//
// A request that no match of its host takes falls through to the next less specific host of the listener (the worker does that), so
// a host holds only the routes whose names come to it. Among them the routes' own names decide first, then the matches.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/compile/routes.hpp"

namespace penstock::compile {

struct HostMember {
    CompiledRoutePtr route;
    std::string own;  // the route's own name for this host
    bool operator==(const HostMember&) const = default;
};

struct Host {
    std::string hostname;
    std::vector<HostMember> members;  // in order of precedence
};

// The hosts of every listener, by index of Front.listeners, most specific first.
[[nodiscard]] std::vector<std::vector<Host>> gather_hosts(const Front& front, const std::vector<CompiledRoutePtr>& routes);

// The route that serves a host of a TLS, TCP or UDP listener.
[[nodiscard]] const CompiledRoute* winner(const Host& host);

// What a host's rules are seen against: how a listener's routes get at the sets.
struct HostContext {
    const Front& front;
    const BackendPolicies& policies;
};

// The sets of backends that served listeners lead to come to be in `backends`.
void use_backends(const HostContext& context, const std::vector<std::vector<Host>>& hosts, Backends& backends);

// Host parts that were made before, by key, with what they were made of.
struct MadeHost {
    std::vector<HostMember> members;
    MadePartPtr part;
};
using MadeHosts = std::map<std::string, MadeHost>;

// The part of one host. `key` is the part's key.
[[nodiscard]] MadeHost make_host(const std::string& key, const Listener& listener, const Host& host, const HostContext& context,
                                 const MadeHosts* previous, const MadeParts* previous_parts);

}  // namespace penstock::compile
