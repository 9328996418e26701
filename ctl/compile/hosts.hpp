// SPDX-License-Identifier: Apache-2.0
// The hosts of one listener: which routes serve each, and their matches in the order of precedence of the Gateway API.
//
// A request that no match of its host takes falls through to the next less specific host of the listener (the worker does that), so
// a host holds only the routes whose names come to it. Among them the routes' own names decide first, then the matches.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/compile/host_sets.hpp"
#include "ctl/compile/hostname.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/compile/routes.hpp"

namespace penstock::compile {

struct HostMember {
    CompiledRoutePtr route;
    std::string own;  // the route's own name for this host
    bool operator==(const HostMember&) const = default;
};

// A host with what was made of it. Immutable.
struct Host {
    std::string hostname;
    std::vector<HostMember> members;  // in order of precedence
    PartPtr part;                     // null: the listener is not served
    HostSets sets;                    // what it leads to; nothing if the listener is not served
};
using HostPtr = std::shared_ptr<const Host>;

struct ByMorePrecise {
    using is_transparent = void;
    bool operator()(std::string_view one, std::string_view other) const { return more_specific(one, other); }
};
// Of one listener, most specific first. TCP and UDP listeners that are served have one under "", with or without a route.
using HostMap = PieceMap<std::string, HostPtr, ByMorePrecise>;
using Hosts = std::vector<HostMap>;  // by index of Front.listeners

// The route that serves a host of a TLS, TCP or UDP listener.
[[nodiscard]] const CompiledRoute* winner(const Host& host);

// A route before and after; null: it was or is not there.
struct RouteEdit {
    CompiledRoutePtr before;
    CompiledRoutePtr after;
};

// Brings the hosts up to date with the routes' edits: their parts in `parts`, and what they lead to in `backends`. Nothing else is
// touched. `hosts` has a place for each listener; `previous` may be null.
void edit_hosts(const HostContext& context, const std::vector<RouteEdit>& edits, Hosts& hosts, Backends& backends, Parts& parts, const Parts* previous);

}  // namespace penstock::compile
