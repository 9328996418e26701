// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/statuses.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace penstock::compile {
namespace {

using R = ConditionReason;

constexpr std::size_t kAncestorsMax = 16;

// ---- listeners --------------------------------------------------------------------------------------------------------

Condition listener_programmed(const Listener& listener, const GatewayFront& gateway) {
    if (listener.conflicted) {
        const bool hostname = listener.conflicted->reason == R::ListenerConflicted_hostname_conflict;
        return {hostname ? R::ListenerProgrammed_hostname_conflict : R::ListenerProgrammed_protocol_conflict, listener.conflicted->message};
    }
    if (listener.refused) {
        return {R::ListenerProgrammed_invalid, listener.refused->message};
    }
    if (!listener.servable()) {
        return {R::ListenerProgrammed_invalid, "the listener has no certificate that can be used"};
    }
    if (listener.addresses.empty()) {
        const Condition* cause = gateway.refused ? &*gateway.refused : gateway.unprogrammed ? &*gateway.unprogrammed : nullptr;
        return {R::ListenerProgrammed_invalid, "the Gateway is not served" + (cause != nullptr ? ": " + cause->message : std::string())};
    }
    return {R::ListenerProgrammed_programmed, {}};
}

ListenerStatus listener_status(const Listener& listener, const GatewayFront& gateway) {
    ListenerStatus status;
    status.name = listener.spec->name;
    status.supported_kinds = listener.kinds;
    status.attached_routes = listener.attached_routes;
    status.conditions.push_back(listener.refused.value_or(Condition{R::ListenerAccepted_accepted, {}}));
    if (listener.conflicted) {
        status.conditions.push_back(*listener.conflicted);
    }
    if (listener.overlapping) {
        status.conditions.push_back(*listener.overlapping);
    }
    status.conditions.push_back(listener_programmed(listener, gateway));
    status.conditions.push_back(listener.unresolved.value_or(Condition{R::ListenerResolvedRefs_resolved_refs, {}}));
    return status;
}

struct Tally {
    std::size_t all = 0;
    std::size_t refused = 0;
    std::size_t served = 0;
    std::string first;  // refused one, with its reason

    [[nodiscard]] bool none_valid() const { return all != 0 && refused == all; }
};

Tally tally(const Front& front, const std::vector<std::size_t>& listeners) {
    Tally out;
    for (const std::size_t at : listeners) {
        const Listener& listener = front.listeners[at];
        ++out.all;
        out.served += listener.addresses.empty() ? 0 : 1;
        if (listener.refused) {
            ++out.refused;
            out.first = out.first.empty() ? "listener " + listener.spec->name + ": " + listener.refused->message : out.first;
        }
    }
    return out;
}

// ---- ListenerSets -----------------------------------------------------------------------------------------------------

Condition set_accepted(const ListenerSetFront& set, const GatewayFront& gateway, const Tally& tally) {
    if (!set.allowed) {
        return {R::ListenerSetAccepted_not_allowed, "spec.allowedListeners of the Gateway does not let it in"};
    }
    if (gateway.refused) {
        return {R::ListenerSetAccepted_parent_not_accepted, gateway.refused->message};
    }
    if (tally.none_valid()) {
        return {R::ListenerSetAccepted_listeners_not_valid, tally.first};
    }
    return tally.refused != 0 ? Condition{R::ListenerSetAccepted_listeners_partly_valid, tally.first} : Condition{R::ListenerSetAccepted_accepted, {}};
}

Condition set_programmed(const Condition& accepted, const GatewayFront& gateway, const Tally& tally) {
    switch (accepted.reason) {
        case R::ListenerSetAccepted_not_allowed: return {R::ListenerSetProgrammed_not_allowed, accepted.message};
        case R::ListenerSetAccepted_listeners_not_valid: return {R::ListenerSetProgrammed_listeners_not_valid, accepted.message};
        case R::ListenerSetAccepted_parent_not_accepted: return {R::ListenerSetProgrammed_parent_not_programmed, accepted.message};
        default: break;
    }
    if (tally.served == 0 && gateway.unprogrammed) {
        return {R::ListenerSetProgrammed_parent_not_programmed, gateway.unprogrammed->message};
    }
    if (tally.served == 0) {
        return {R::ListenerSetProgrammed_listeners_not_valid, "no listener can be served"};
    }
    return {R::ListenerSetProgrammed_programmed, {}};
}

ListenerSetStatus set_status(const Front& front, const ListenerSetFront& set) {
    const GatewayFront& gateway = front.gateways[set.gateway];
    const Tally counted = tally(front, set.listeners);
    ListenerSetStatus status;
    status.conditions.push_back(set_accepted(set, gateway, counted));
    status.conditions.push_back(set_programmed(status.conditions.front(), gateway, counted));
    for (const std::size_t at : set.listeners) {
        status.listeners.push_back(listener_status(front.listeners[at], gateway));
    }
    return status;
}

// ---- Gateways ---------------------------------------------------------------------------------------------------------

Condition gateway_accepted(const GatewayFront& gateway, const Tally& tally) {
    if (gateway.refused) {
        return *gateway.refused;
    }
    if (tally.none_valid()) {
        return {R::GatewayAccepted_listeners_not_valid, tally.first};
    }
    return tally.refused != 0 ? Condition{R::GatewayAccepted_listeners_partly_valid, tally.first} : Condition{R::GatewayAccepted_accepted, {}};
}

Condition gateway_programmed(const Condition& accepted, const GatewayFront& gateway, const Tally& tally) {
    if (gateway.unprogrammed && !gateway.refused) {
        return *gateway.unprogrammed;
    }
    if (!accepted.holds()) {
        return {R::GatewayProgrammed_invalid, accepted.message};
    }
    if (tally.all != 0 && tally.served == 0) {
        return {R::GatewayProgrammed_invalid, "no listener can be served"};
    }
    return {R::GatewayProgrammed_programmed, {}};
}

GatewayStatus gateway_status(const Front& front, const GatewayFront& gateway) {
    const Tally counted = tally(front, gateway.listeners);  // its sets tell of theirs
    GatewayStatus status;
    status.conditions.push_back(gateway_accepted(gateway, counted));
    status.conditions.push_back(gateway_programmed(status.conditions.front(), gateway, counted));
    status.addresses = gateway.status_addresses;
    for (const std::size_t at : gateway.listeners) {
        status.listeners.push_back(listener_status(front.listeners[at], gateway));
    }
    return status;
}

// ---- BackendTLSPolicies -----------------------------------------------------------------------------------------------

// Per "ns/service": the Gateways whose routes lead there.
using Reach = std::map<std::string, std::set<std::size_t>>;

Reach reach_of(const std::vector<CompiledRoutePtr>& routes) {
    Reach reach;
    for (const CompiledRoutePtr& route : routes) {
        for (const SetUse& use : route->rules.withheld) {
            reach[use.ns + "/" + use.service].insert(route->gateways.begin(), route->gateways.end());
        }
    }
    return reach;
}

// Policies in order of age: the first on a target holds it.
Condition policy_accepted(const Typed<model::BackendTlsPolicy>& policy, std::map<std::string, std::string>& holders) {
    for (const auto& target : policy.spec->target_refs) {
        const std::string place = policy.ns() + "/" + target.name + "/" + target.section_name.value_or("");
        const auto [holder, first] = holders.try_emplace(place, policy.name());
        if (!first && holder->second != policy.name()) {
            return {R::PolicyAccepted_conflicted, "BackendTLSPolicy " + policy.ns() + "/" + holder->second + " is older and has the same target"};
        }
    }
    return {R::PolicyAccepted_invalid, "TLS to backends is not supported: requests to its targets are answered with 500"};
}

// ---- all --------------------------------------------------------------------------------------------------------------

class Collector {
public:
    explicit Collector(const Statuses* previous) : previous_(previous) {}

    void add(const model::Object& object, ObjectStatus status) {
        status.generation = object.meta.generation;
        const auto before = previous_ != nullptr ? previous_->find(object.key) : Statuses::const_iterator();
        const bool same = previous_ != nullptr && before != previous_->end() && *before->second == status;
        out_.emplace(object.key, same ? before->second : std::make_shared<const ObjectStatus>(std::move(status)));
    }

    void add(const CompiledRoute& route) {
        if (!route.status) {
            return;
        }
        const auto before = previous_ != nullptr ? previous_->find(route.object->key) : Statuses::const_iterator();
        const bool known = previous_ != nullptr && before != previous_->end();
        const bool same = known && (before->second == route.status || *before->second == *route.status);
        out_.emplace(route.object->key, same ? before->second : route.status);
    }

    Statuses take() { return std::move(out_); }

private:
    const Statuses* previous_;
    Statuses out_;
};

void add_policies(const World& world, const Front& front, const std::vector<CompiledRoutePtr>& routes, Collector& out) {
    if (world.policies.empty()) {
        return;
    }
    const Reach reach = reach_of(routes);
    std::map<std::string, std::string> holders;
    for (const auto& policy : world.policies) {
        const Condition accepted = policy_accepted(policy, holders);
        std::set<std::size_t> gateways;
        for (const auto& target : policy.spec->target_refs) {
            if (const auto found = reach.find(policy.ns() + "/" + target.name); found != reach.end()) {
                gateways.insert(found->second.begin(), found->second.end());
            }
        }
        PolicyStatus status;
        for (const std::size_t at : gateways) {
            if (status.ancestors.size() < kAncestorsMax) {
                status.ancestors.push_back({front.gateways[at].object.object->key, {accepted}});
            }
        }
        if (!status.ancestors.empty()) {
            out.add(*policy.object, {0, std::move(status)});
        }
    }
}

}  // namespace

Statuses make_statuses(const World& world, const Front& front, const std::vector<CompiledRoutePtr>& routes, const Statuses* previous) {
    Collector out(previous);
    for (const auto& [object, status] : front.classes) {
        out.add(*object, {0, status});
    }
    std::vector<std::int32_t> attached_sets(front.gateways.size(), 0);
    for (const ListenerSetFront& set : front.sets) {
        ListenerSetStatus status = set_status(front, set);
        attached_sets[set.gateway] += status.conditions.front().holds() ? 1 : 0;
        out.add(*set.object.object, {0, std::move(status)});
    }
    for (std::size_t i = 0; i < front.gateways.size(); ++i) {
        GatewayStatus status = gateway_status(front, front.gateways[i]);
        status.attached_listener_sets = attached_sets[i];
        out.add(*front.gateways[i].object.object, {0, std::move(status)});
    }
    for (const CompiledRoutePtr& route : routes) {
        out.add(*route);
    }
    add_policies(world, front, routes, out);
    return out.take();
}

}  // namespace penstock::compile
