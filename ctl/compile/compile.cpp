// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/compile.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/changes.hpp"
#include "ctl/compile/edge.hpp"
#include "ctl/compile/ground.hpp"
#include "ctl/compile/hosts.hpp"
#include "ctl/compile/root.hpp"
#include "ctl/compile/routes.hpp"
#include "ctl/compile/statuses.hpp"
#include "ctl/compile/steer.hpp"
#include "ctl/compile/world.hpp"
#include "schema/stats_page.hpp"

namespace penstock::compile {

// What a compilation leaves for the next: its own stages' results, which the next one edits. Everything is held by shared pointers to
// immutable objects, so equal pointers mean equal content, and nothing dangles when the store goes on.
struct Cache {
    Options options;
    model::Store store;
    SliceIndex slices;
    GroundPtr ground;
    CompiledRoutes routes;
    FrontFacts facts;
    Reach reach;  // empty while there is no policy
    Hosts hosts;
    BackendSets sets;
    std::string tracing;  // key of the set that spans go to; "" if there is none
    RootMemory root;
    IdUses rules;
    IdUses set_ids;
    IdUses endpoints;
};

namespace {

constexpr std::uint32_t kManyIds = (1U << 24) - 1;

struct Takers {
    IdTaker backends;
    IdTaker services;
    IdTaker listeners;
    IdTaker rules;
    IdTaker sets;
    IdTaker endpoints;

    Takers(const Ids& ids, const Limits& limits, const Cache& kept)
        : backends(ids.backends, limits.backends_max),
          services(ids.services, limits.services_max),
          // Each number has counters of its own in the stats page; what is beyond shares number 0.
          listeners(ids.listeners, kStatsListenersMax - 1),
          rules(ids.rules, kStatsRulesMax - 1, kept.rules),
          sets(ids.sets, kStatsSetsMax - 1, kept.set_ids),
          endpoints(ids.endpoints, kManyIds, kept.endpoints) {}

    Ids finish() { return {backends.finish(), services.finish(), listeners.finish(), rules.finish(), sets.finish(), endpoints.finish(), {}}; }
};

// The routes that changed themselves, and those that refer to a Service that did; by key.
std::vector<model::ObjectKey> reached(const Changes& changes, const CompiledRoutes& routes) {
    std::vector<model::ObjectKey> keys = changes.routes;
    if (!changes.services.empty()) {
        for (const auto& [key, route] : routes) {
            const auto& asked = route->rules.services;
            if (std::any_of(asked.begin(), asked.end(), [&](const std::string& service) { return changes.services.contains(service); })) {
                keys.push_back(key);
            }
        }
        std::sort(keys.begin(), keys.end());
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    }
    return keys;
}

std::vector<RouteEdit> edit_routes(const std::vector<model::ObjectKey>& keys, const model::Store& store, RouteContext& context, CompiledRoutes& routes) {
    std::vector<RouteEdit> edits;
    for (const model::ObjectKey& key : keys) {
        RouteEdit edit;
        if (const CompiledRoutePtr* before = routes.get(key)) {
            edit.before = *before;
            std::for_each(edit.before->rules.ids.begin(), edit.before->rules.ids.end(), [&](const std::string& name) { context.ids.release(name); });
        }
        if (const model::ObjectPtr object = store.get(key)) {
            edit.after = compile_route(object, context);
            routes.set(key, edit.after);
        } else {
            routes.erase(key);
        }
        edits.push_back(std::move(edit));
    }
    return edits;
}

// All hosts are to be made, of routes that stay as they are.
std::vector<RouteEdit> all_added(const CompiledRoutes& routes) {
    std::vector<RouteEdit> edits;
    for (const auto& [key, route] : routes) {
        edits.push_back({nullptr, route});
    }
    return edits;
}

// `attached`: by listener.
void count_attached(const std::vector<RouteEdit>& edits, std::vector<std::int32_t>& attached) {
    const auto count = [&](const CompiledRoutePtr& route, std::int32_t by) {
        for (std::size_t i = 0; route && i < route->attachments.size(); ++i) {
            attached[route->attachments[i].listener] += by;
        }
    };
    for (const RouteEdit& edit : edits) {
        count(edit.before, -1);
        count(edit.after, 1);
    }
}

std::vector<std::uint32_t> number_listeners(const Front& front, IdTaker& ids) {
    std::vector<std::uint32_t> numbers;
    for (const Listener& listener : front.listeners) {
        numbers.push_back(ids.take(listener.name).value_or(0));
    }
    return numbers;
}

// What the compilation before leaves that still holds; all but store, slices and ground.
void keep_routes(const Cache& before, Cache& cache) {
    cache.routes = before.routes;
    cache.facts.attached = before.facts.attached;
    cache.reach = before.reach;
    cache.rules = before.rules;
}

void keep_hosts(const Cache& before, Cache& cache) {
    cache.hosts = before.hosts;
    cache.sets = before.sets;
    cache.tracing = before.tracing;
    cache.root.others = before.root.others;
    cache.set_ids = before.set_ids;
    cache.endpoints = before.endpoints;
}

}  // namespace

bool Options::judges_like(const Options& other) const {
    const auto judging = [](const Options& one) {
        return std::tie(one.controller_name, one.node_addresses, one.names_only_own, one.xdp, one.limits, one.metrics, one.ticket_keys, one.session_keys);
    };
    return judging(*this) == judging(other);
}

Compiled compile(const model::Store& store, const Options& options, const Compiled* previous, const AddressBook* told, const std::set<IpAddress>& others) {
    static const Cache kNothing;
    const bool first = previous == nullptr || previous->cache == nullptr;
    const Cache& before = first ? kNothing : *previous->cache;
    auto cache = std::make_shared<Cache>();
    cache->options = options;
    cache->store = store;
    cache->slices = before.slices;
    cache->root.lists = before.root.lists;
    const Changes changes = changes_between(before.store, store, cache->slices);

    const bool keeps_routes = !first && !changes.ground && before.options.judges_like(options);
    const World world(store, cache->slices, keeps_routes ? before.ground->by_age : nullptr);
    const bool same_ground = keeps_routes && !changes.material && before.ground->made_with(told, others);
    cache->ground = same_ground ? before.ground
                           : make_ground(world, {options, before.store, told, others},
                                         {before.ground.get(), previous != nullptr ? &previous->pairs : nullptr, previous != nullptr ? previous->ids.addresses : nullptr});
    const Front& front = cache->ground->front;
    const BackendPolicies& policies = cache->ground->policies;
    const bool keeps_hosts = keeps_routes && before.ground->shape == cache->ground->shape;
    Compiled out;
    out.addresses = cache->ground->addresses;
    out.pairs = cache->ground->pairs;

    if (keeps_routes) {
        keep_routes(before, *cache);
    }
    if (keeps_hosts) {
        keep_hosts(before, *cache);
    }
    Parts parts = keeps_hosts ? previous->snapshot.parts : Parts();
    const Parts* previous_parts = first ? nullptr : &previous->snapshot.parts;

    Takers ids(previous != nullptr ? previous->ids : Ids{}, options.limits, *cache);
    Backends backends(world, cache->sets, {first ? nullptr : &before.sets, previous_parts}, ids.sets, ids.endpoints);
    RouteContext context{world, front, backends, ids.rules};
    const std::vector<RouteEdit> edits = edit_routes(keeps_routes ? reached(changes, cache->routes) : routes_of(store), store, context, cache->routes);
    cache->facts.attached.resize(front.listeners.size());
    count_attached(edits, cache->facts.attached);
    const bool reaches_others = !policies.all().empty() && edit_reach(front, edits, cache->reach);

    cache->hosts.resize(front.listeners.size());
    edit_hosts({front, policies}, keeps_hosts ? edits : all_added(cache->routes), cache->hosts, backends, parts, previous_parts);
    if (!cache->tracing.empty()) {
        backends.release(cache->tracing);
    }
    const Tracing tracing = resolve_tracing(front, backends);
    cache->tracing = tracing.set ? tracing.set->key : std::string();
    cache->facts.tracing_fault = tracing.fault;
    std::set<std::string> services = changes.endpoints;
    services.insert(changes.services.begin(), changes.services.end());
    backends.settle(services, parts);
    cache->sets = backends.sets();

    const std::vector<std::uint32_t> listener_ids = number_listeners(front, ids.listeners);
    out.snapshot = make_snapshot({front, options, cache->sets, policies, tracing.set, listener_ids, previous_parts,
                                  previous != nullptr ? &previous->snapshot : nullptr}, std::move(parts), cache->root);
    SteerContext steer{front, cache->hosts, cache->sets, options, listener_ids, ids.services, ids.backends};
    out.steering = make_steering(steer);
    if (keeps_routes) {
        out.statuses = previous->statuses;
    }
    edit_statuses({world, front, policies, cache->reach, !same_ground || reaches_others || !changes.services.empty(), cache->facts,
                   same_ground ? &before.facts : nullptr, previous != nullptr ? &previous->statuses : nullptr},
                  edits, out.statuses);

    out.ids = ids.finish();
    out.ids.addresses = cache->ground->book;
    cache->rules = ids.rules.uses();
    cache->set_ids = ids.sets.uses();
    cache->endpoints = ids.endpoints.uses();
    out.cache = std::move(cache);
    return out;
}

}  // namespace penstock::compile
