// SPDX-License-Identifier: Apache-2.0
// Routes of all kinds: which listeners each attaches to, under which host names, and its status. A parentRef to somebody else's
// Gateway leaves no trace.
// A compiled route refers to listeners by index and to backend sets by key, so it holds as long as the Gateways, sets, Services,
// grants and namespaces that it was judged by: then the next compilation takes it over as it is.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/rules.hpp"

namespace penstock::compile {

// A host name that a route serves on a listener, and the name in the route that it comes from: the latter decides precedence.
struct ServedHost {
    std::string host;
    std::string own;
};

struct Attachment {
    std::size_t listener = 0;  // index into Front.listeners
    std::vector<ServedHost> hosts;  // by host, unique, at least one
};

struct CompiledRoute {
    std::shared_ptr<const model::Object> object;
    RouteRules rules;
    std::vector<Attachment> attachments;  // by listener, unique; empty if the route is refused
    std::shared_ptr<const ObjectStatus> status;  // null: no parent of ours
};
using CompiledRoutePtr = std::shared_ptr<const CompiledRoute>;
using CompiledRoutes = model::ObjectMap<CompiledRoutePtr>;

// What routes are compiled against.
struct RouteContext {
    const World& world;
    const Front& front;
    const Backends& backends;
    IdTaker& ids;
};

// `object` holds one of the five kinds of routes.
[[nodiscard]] CompiledRoutePtr compile_route(const std::shared_ptr<const model::Object>& object, RouteContext& context);

}  // namespace penstock::compile
