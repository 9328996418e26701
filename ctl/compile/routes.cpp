// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/routes.hpp"

#include <algorithm>
#include <map>

#include "ctl/compile/hostname.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::compile {
namespace {

// One parentRef's way through the listeners of its parent: how far the best of them let the route come.
enum class Reached { parent, listener, allowed, hostname };

const FrontParent* parent_of(const model::ParentRef& ref, const std::string& ns, const Front& front) {
    if (ref.group.value_or(std::string(model::kGatewayGroup)) != model::kGatewayGroup) {
        return nullptr;
    }
    const auto found = front.parents.find(ref.kind.value_or("Gateway") + "/" + ref.ns.value_or(ns) + "/" + ref.name);
    return found != front.parents.end() ? &found->second : nullptr;
}

bool same_parent(const model::ParentRef& one, const model::ParentRef& other, const std::string& ns) {
    return one.name == other.name && one.ns.value_or(ns) == other.ns.value_or(ns) && one.kind.value_or("Gateway") == other.kind.value_or("Gateway");
}

// What a route attaches to: what it names, and, if it asks for them, the default Gateways that it does not name (GEP-3793).
std::vector<model::ParentRef> parents_of(const model::RouteParents& route, const std::string& ns, const Front& front) {
    std::vector<model::ParentRef> parents;
    for (const model::ParentRef& ref : route.parent_refs) {
        if (parent_of(ref, ns, front) != nullptr) {
            parents.push_back(ref);
        }
    }
    for (const GatewayFront& gateway : front.gateways) {
        if (route.use_default_gateways != "All" || gateway.object.spec->default_scope != "All") {
            continue;
        }
        const model::ParentRef ref{model::kGatewayGroup, "Gateway", gateway.object.ns(), gateway.object.name(), std::nullopt, std::nullopt};
        if (std::none_of(parents.begin(), parents.end(), [&](const model::ParentRef& named) { return same_parent(named, ref, ns); })) {
            parents.push_back(ref);
        }
    }
    return parents;
}

bool kind_allowed(const Listener& listener, std::string_view kind) {
    return std::any_of(listener.kinds.begin(), listener.kinds.end(), [&](const RouteGroupKind& entry) { return entry.kind == kind; });
}

// The names that the route serves on the listener; of several of its own that come to the same, the most specific counts.
std::vector<ServedHost> served_hosts(const Listener& listener, const std::vector<std::string>& own) {
    std::map<std::string, std::string> hosts;
    static const std::vector<std::string> kAll = {""};
    for (const std::string& name : own.empty() ? kAll : own) {
        // TCP and UDP listeners have no names: whatever the listener says is passed over.
        auto host = intersect(listener.hostname, name);
        if (!host) {
            continue;
        }
        const auto [place, added] = hosts.try_emplace(std::move(*host), name);
        if (!added && more_specific(name, place->second)) {
            place->second = name;
        }
    }
    std::vector<ServedHost> out;
    for (auto& [host, name] : hosts) {
        out.push_back({host, name});
    }
    return out;
}

class RouteCompiler {
public:
    RouteCompiler(const std::shared_ptr<const model::Object>& object, std::string_view kind, RouteContext& context)
        : kind_(kind), context_(context), out_(std::make_shared<CompiledRoute>()) {
        out_->object = object;
    }

    CompiledRoutePtr run(const std::vector<model::ParentRef>& parents, const std::vector<std::string>& hostnames, RouteRules rules) {
        for (const std::string& name : hostnames) {
            own_.push_back(lower(name));
        }
        out_->rules = std::move(rules);
        RouteStatus status;
        for (const model::ParentRef& ref : parents) {
            status.parents.push_back({ref, judge(ref, *parent_of(ref, out_->object->key.ns, context_.front))});
        }
        std::sort(out_->attachments.begin(), out_->attachments.end(), [](const auto& a, const auto& b) { return a.listener < b.listener; });
        out_->status = std::make_shared<const ObjectStatus>(ObjectStatus{out_->object->meta.generation, std::move(status)});
        return out_;
    }

private:
    Conditions judge(const model::ParentRef& ref, const FrontParent& parent) {
        const Front& front = context_.front;
        const auto& listeners = parent.is_set ? front.sets[parent.index].listeners : front.gateways[parent.index].listeners;
        Reached reached = Reached::parent;
        bool attached = false;
        for (const std::size_t at : listeners) {
            attached |= try_listener(ref, at, reached);
        }
        Conditions conditions;
        conditions.push_back(out_->rules.refused && attached ? *out_->rules.refused : accepted(ref, parent, reached, attached));
        if (out_->rules.partially_invalid && attached) {
            conditions.push_back(*out_->rules.partially_invalid);
        }
        conditions.push_back(out_->rules.unresolved.value_or(Condition{ConditionReason::RouteResolvedRefs_resolved_refs, {}}));
        if (auto annotations = out_->rules.annotations.condition()) {
            conditions.push_back(std::move(*annotations));
        }
        return conditions;
    }

    bool try_listener(const model::ParentRef& ref, std::size_t at, Reached& reached) {
        const Listener& listener = context_.front.listeners[at];
        if ((ref.section_name && *ref.section_name != listener.spec->name) || (ref.port && *ref.port != listener.spec->port)) {
            return false;
        }
        reached = std::max(reached, Reached::listener);
        if (!kind_allowed(listener, kind_) ||
            !lets_in(context_.world, listener.spec->allowed_routes.namespaces, listener.owner->key.ns, out_->object->key.ns)) {
            return false;
        }
        reached = std::max(reached, Reached::allowed);
        std::vector<ServedHost> hosts = served_hosts(listener, own_);
        if (hosts.empty()) {
            return false;
        }
        reached = Reached::hostname;
        const bool known = std::any_of(out_->attachments.begin(), out_->attachments.end(), [&](const auto& a) { return a.listener == at; });
        if (!known && !out_->rules.refused) {
            out_->attachments.push_back({at, std::move(hosts)});
        }
        return true;
    }

    bool refused_set(const FrontParent& parent) const { return parent.is_set && !context_.front.sets[parent.index].allowed; }

    Condition accepted(const model::ParentRef& ref, const FrontParent& parent, Reached reached, bool attached) const {
        if (attached) {
            return {ConditionReason::RouteAccepted_accepted, out_->rules.remark.empty() ? "" : "without effect: " + out_->rules.remark};
        }
        if (reached == Reached::parent && refused_set(parent)) {
            return {ConditionReason::RouteAccepted_no_matching_parent, "the Gateway does not let the ListenerSet in"};
        }
        if (reached == Reached::parent) {
            const std::string wanted = (ref.section_name ? " named " + *ref.section_name : "") + (ref.port ? " on port " + std::to_string(*ref.port) : "");
            return {ConditionReason::RouteAccepted_no_matching_parent, "the parent has no listener" + wanted};
        }
        if (reached == Reached::listener) {
            return {ConditionReason::RouteAccepted_not_allowed_by_listeners,
                    "no listener lets " + std::string(kind_) + " of namespace " + out_->object->key.ns + " attach"};
        }
        return {ConditionReason::RouteAccepted_no_matching_listener_hostname, "no host name is one of a listener"};
    }

    std::string_view kind_;
    RouteContext& context_;
    std::shared_ptr<CompiledRoute> out_;
    std::vector<std::string> own_;
};

template <class Route>
CompiledRoutePtr compile_as(const std::shared_ptr<const model::Object>& object, const Route& route, std::string_view kind,
                            const std::vector<std::string>& hostnames, RouteContext& context) {
    const std::vector<model::ParentRef> parents = parents_of(route, object->key.ns, context.front);
    if (parents.empty()) {
        auto foreign = std::make_shared<CompiledRoute>();
        foreign->object = object;
        return foreign;
    }
    RouteRules rules = compile_rules(Typed<Route>{object, &route}, context.backends, context.ids);
    for (const std::string& name : read_none(object->meta.annotations).unknown) {
        rules.annotations.unknown.push_back(name);
    }
    return RouteCompiler(object, kind, context).run(parents, hostnames, std::move(rules));
}

struct Dispatch {
    const std::shared_ptr<const model::Object>& object;
    RouteContext& context;

    CompiledRoutePtr operator()(const model::HttpRoute& route) const { return compile_as(object, route, "HTTPRoute", route.hostnames, context); }
    CompiledRoutePtr operator()(const model::GrpcRoute& route) const { return compile_as(object, route, "GRPCRoute", route.hostnames, context); }
    CompiledRoutePtr operator()(const model::TlsRoute& route) const { return compile_as(object, route, "TLSRoute", route.hostnames, context); }
    CompiledRoutePtr operator()(const model::TcpRoute& route) const { return compile_as(object, route, "TCPRoute", {}, context); }
    CompiledRoutePtr operator()(const model::UdpRoute& route) const { return compile_as(object, route, "UDPRoute", {}, context); }
    template <class Other>
    CompiledRoutePtr operator()(const Other& /*not a route*/) const {
        return nullptr;
    }
};

}  // namespace

CompiledRoutePtr compile_route(const std::shared_ptr<const model::Object>& object, RouteContext& context) {
    return std::visit(Dispatch{object, context}, object->body);
}

}  // namespace penstock::compile
