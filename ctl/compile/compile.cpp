// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/compile.hpp"

#include <unordered_map>

#include "ctl/compile/addresses.hpp"
#include "ctl/compile/backend_tls.hpp"
#include "ctl/compile/backends.hpp"
#include "ctl/compile/edge.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/listeners.hpp"
#include "ctl/compile/root.hpp"
#include "ctl/compile/routes.hpp"
#include "ctl/compile/statuses.hpp"
#include "ctl/compile/steer.hpp"
#include "ctl/compile/world.hpp"
#include "schema/stats_page.hpp"

namespace penstock::compile {

// What a compilation leaves for the next. Everything is held by shared pointers to immutable objects, so equal pointers mean equal
// content, and nothing dangles when the store goes on.
struct Cache {
    Options options;
    std::vector<std::shared_ptr<const model::Object>> ground;  // what routes were judged by
    std::unordered_map<const model::Object*, CompiledRoutePtr> routes;
    BackendSets sets;
    MadeHosts hosts;
    MadeParts parts;
    MaterialCache material;
    std::string policies;  // BackendPolicies::fingerprint()
};

namespace {

constexpr std::uint32_t kManyIds = (1U << 24) - 1;

// All objects but routes and those that only change endpoints or certificates.
std::vector<std::shared_ptr<const model::Object>> ground_of(const model::Store& store) {
    std::vector<std::shared_ptr<const model::Object>> ground;
    for (const auto& [key, object] : store) {
        switch (key.kind) {
            case model::Kind::http_route:
            case model::Kind::grpc_route:
            case model::Kind::tls_route:
            case model::Kind::tcp_route:
            case model::Kind::udp_route:
            case model::Kind::endpoint_slice:
            case model::Kind::secret:
            case model::Kind::config_map: break;
            default: ground.push_back(object);
        }
    }
    return ground;
}

struct Takers {
    IdTaker backends;
    IdTaker services;
    IdTaker listeners;
    IdTaker rules;
    IdTaker sets;
    IdTaker endpoints;

    Takers(const Ids& ids, const Limits& limits)
        : backends(ids.backends, limits.backends_max),
          services(ids.services, limits.services_max),
          // Each number has counters of its own in the stats page; what is beyond shares number 0.
          listeners(ids.listeners, kStatsListenersMax - 1),
          rules(ids.rules, kStatsRulesMax - 1),
          sets(ids.sets, kStatsSetsMax - 1),
          endpoints(ids.endpoints, kManyIds) {}

    Ids finish() && {
        return {std::move(backends).finish(), std::move(services).finish(), std::move(listeners).finish(),
                std::move(rules).finish(),    std::move(sets).finish(),     std::move(endpoints).finish()};
    }
};

// A route as it was, with its numbers marked as in use.
void keep(const CompiledRoute& route, IdTaker& rule_ids) {
    for (const std::string& name : route.rules.ids) {
        rule_ids.take(name);
    }
}

std::vector<CompiledRoutePtr> compile_routes(RouteContext& context, const Cache* previous) {
    std::vector<CompiledRoutePtr> routes;
    routes.reserve(context.world.routes.size());
    for (const auto& object : context.world.routes) {
        if (previous != nullptr) {
            if (const auto found = previous->routes.find(object.get()); found != previous->routes.end()) {
                keep(*found->second, context.ids);
                routes.push_back(found->second);
                continue;
            }
        }
        routes.push_back(compile_route(object, context));
    }
    return routes;
}

void count_attached(Front& front, const std::vector<CompiledRoutePtr>& routes) {
    for (const CompiledRoutePtr& route : routes) {
        for (const Attachment& attachment : route->attachments) {
            ++front.listeners[attachment.listener].attached_routes;
        }
    }
}

std::vector<std::uint32_t> number_listeners(const Front& front, IdTaker& ids) {
    std::vector<std::uint32_t> numbers;
    for (const Listener& listener : front.listeners) {
        numbers.push_back(ids.take(listener.name).value_or(0));
    }
    return numbers;
}

}  // namespace

Compiled compile(const model::Store& store, const Options& options, const Compiled* previous) {
    const Cache* before = previous != nullptr ? previous->cache.get() : nullptr;
    auto cache = std::make_shared<Cache>();
    cache->options = options;
    cache->ground = ground_of(store);
    const bool same_ground = before != nullptr && before->options == options && before->ground == cache->ground;

    const World world(store);
    Takers ids(previous != nullptr ? previous->ids : Ids{}, options.limits);
    Material material(world, cache->material, before != nullptr ? &before->material : nullptr);
    Front front = make_front(world, options, material);
    const BackendPolicies policies(world, material);
    cache->policies = policies.fingerprint(front);
    Compiled out;
    out.addresses = assign_addresses(front, options);

    Backends backends(world, before != nullptr ? &before->sets : nullptr, before != nullptr ? &before->parts : nullptr, ids.sets, ids.endpoints);
    RouteContext context{world, front, backends, ids.rules};
    const std::vector<CompiledRoutePtr> routes = compile_routes(context, same_ground ? before : nullptr);
    count_attached(front, routes);

    const auto hosts = gather_hosts(front, routes);
    use_backends({front, policies}, hosts, backends);
    const auto tracing = resolve_tracing(front, backends);
    const std::vector<std::uint32_t> listener_ids = number_listeners(front, ids.listeners);
    const bool same_policies = before != nullptr && before->policies == cache->policies;
    MadeSnapshot made = make_snapshot({front, options, hosts, backends.sets(), policies, tracing, listener_ids, before != nullptr ? &before->parts : nullptr,
                                       same_policies ? &before->hosts : nullptr, previous != nullptr ? &previous->snapshot : nullptr});
    SteerContext steer{front, hosts, backends.sets(), options, listener_ids, ids.services, ids.backends};
    out.steering = make_steering(steer);
    out.statuses = make_statuses(world, front, routes, policies, previous != nullptr ? &previous->statuses : nullptr);
    out.snapshot = std::move(made.snapshot);
    out.ids = std::move(ids).finish();

    for (const CompiledRoutePtr& route : routes) {
        cache->routes.emplace(route->object.get(), route);
    }
    cache->sets = backends.sets();
    cache->hosts = std::move(made.hosts);
    cache->parts = std::move(made.parts);
    out.cache = std::move(cache);
    return out;
}

}  // namespace penstock::compile
