// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/statuses.hpp"

#include <algorithm>

#include "ctl/compile/addresses.hpp"

namespace penstock::compile {
namespace {

using R = ConditionReason;

void add(Conditions& conditions, std::optional<Condition> condition) {
    if (condition) {
        conditions.push_back(std::move(*condition));
    }
}

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

ListenerStatus listener_status(const Listener& listener, const GatewayFront& gateway, std::int32_t attached) {
    ListenerStatus status;
    status.name = listener.spec->name;
    status.supported_kinds = listener.kinds;
    status.attached_routes = attached;
    status.conditions.push_back(listener.refused.value_or(Condition{R::ListenerAccepted_accepted, {}}));
    if (listener.conflicted) {
        status.conditions.push_back(*listener.conflicted);
    }
    if (listener.overlapping) {
        status.conditions.push_back(*listener.overlapping);
    }
    status.conditions.push_back(listener_programmed(listener, gateway));
    const std::string remark = listener.without_effect.empty() ? "" : "without effect: " + listener.without_effect;
    status.conditions.push_back(listener.unresolved.value_or(Condition{R::ListenerResolvedRefs_resolved_refs, remark}));
    return status;
}

struct Tally {
    std::size_t all = 0;
    std::size_t refused = 0;
    std::size_t unservable = 0;  // refused, in conflict, or without a certificate that can be used
    std::size_t served = 0;
    std::string first;       // refused one, with its reason
    std::string unresolved;  // the first whose references do not resolve, with its reason

    [[nodiscard]] bool none_valid() const { return all != 0 && refused == all; }
};

Tally tally(const Front& front, const std::vector<std::size_t>& listeners) {
    Tally out;
    for (const std::size_t at : listeners) {
        const Listener& listener = front.listeners[at];
        ++out.all;
        out.unservable += listener.servable() ? 0 : 1;
        out.served += listener.served() ? 1 : 0;
        if (listener.unresolved && out.unresolved.empty()) {
            out.unresolved = "listener " + listener.spec->name + ": " + listener.unresolved->message;
        }
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
    // Unlike a Gateway, a set is not accepted for references alone.
    if (tally.all != 0 && tally.unservable == tally.all) {
        return {R::ListenerSetAccepted_listeners_not_valid, tally.first.empty() ? tally.unresolved : tally.first};
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

ListenerSetStatus set_status(const Front& front, const ListenerSetFront& set, const std::vector<std::int32_t>& attached) {
    const GatewayFront& gateway = front.gateways[set.gateway];
    const Tally counted = tally(front, set.listeners);
    ListenerSetStatus status;
    status.conditions.push_back(set_accepted(set, gateway, counted));
    status.conditions.push_back(set_programmed(status.conditions.front(), gateway, counted));
    add(status.conditions, read_none(set.object.object->meta.annotations).condition());
    for (const std::size_t at : set.listeners) {
        status.listeners.push_back(listener_status(front.listeners[at], gateway, attached[at]));
    }
    return status;
}

// ---- Gateways ---------------------------------------------------------------------------------------------------------

Condition gateway_accepted(const Front& front, const GatewayFront& gateway, const Tally& tally) {
    if (gateway.refused) {
        return *gateway.refused;
    }
    if (tally.none_valid()) {
        return {R::GatewayAccepted_listeners_not_valid, tally.first};
    }
    if (tally.refused != 0) {
        return {R::GatewayAccepted_listeners_partly_valid, tally.first};
    }
    const std::string fault = class_fault(front, gateway);
    return {R::GatewayAccepted_accepted, fault.empty() ? "" : "it goes on with the addresses that it has: " + fault};
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

Condition gateway_resolved(const GatewayFront& gateway, const Tally& tally) {
    if (gateway.unresolved) {
        return *gateway.unresolved;
    }
    return tally.unresolved.empty() ? Condition{R::GatewayResolvedRefs_resolved_refs, {}}
                                    : Condition{R::GatewayResolvedRefs_listeners_not_resolved, tally.unresolved};
}

bool has_fallback(const model::Gateway& gateway) {
    const auto falls_back = [](const model::FrontendTls& tls) { return tls.validation && tls.validation->mode == "AllowInsecureFallback"; };
    return gateway.tls && (falls_back(gateway.tls->frontend_default) ||
                           std::any_of(gateway.tls->frontend_ports.begin(), gateway.tls->frontend_ports.end(),
                                       [&](const model::FrontendPort& port) { return falls_back(port.tls); }));
}

// Those that are accepted.
std::int32_t attached_sets(const Front& front, std::size_t gateway) {
    const auto count = std::count_if(front.sets.begin(), front.sets.end(), [&](const ListenerSetFront& set) {
        return set.gateway == gateway && set_accepted(set, front.gateways[gateway], tally(front, set.listeners)).holds();
    });
    return static_cast<std::int32_t>(count);
}

GatewayStatus gateway_status(const Front& front, std::size_t index, const std::vector<std::int32_t>& attached) {
    const GatewayFront& gateway = front.gateways[index];
    const Tally counted = tally(front, gateway.listeners);  // its sets tell of theirs
    GatewayStatus status;
    status.conditions.push_back(gateway_accepted(front, gateway, counted));
    const Condition accepted = status.conditions.front();
    if (gateway.object.spec->default_scope == "All") {
        status.conditions.push_back({R::GatewayDefault_default_gateway, "routes with useDefaultGateways: All attach"});
    }
    if (has_fallback(*gateway.object.spec)) {
        status.conditions.push_back({R::GatewayInsecureFrontend_configuration_changed, "spec.tls.frontend lets clients in whose certificate does not verify"});
    }
    status.conditions.push_back(gateway_programmed(accepted, gateway, counted));
    status.conditions.push_back(gateway_resolved(gateway, counted));
    add(status.conditions, gateway.annotations);
    status.addresses = gateway.status_addresses;
    status.attached_listener_sets = attached_sets(front, index);
    for (const std::size_t at : gateway.listeners) {
        status.listeners.push_back(listener_status(front.listeners[at], gateway, attached[at]));
    }
    return status;
}

// ---- all --------------------------------------------------------------------------------------------------------------

class Collector {
public:
    Collector(Statuses& out, const Statuses* previous) : out_(out), previous_(previous) {}

    void add(const model::Object& object, ObjectStatus status) {
        status.generation = object.meta.generation;
        put(object.key, std::make_shared<const ObjectStatus>(std::move(status)));
    }

    void put(const model::ObjectKey& key, std::shared_ptr<const ObjectStatus> status) {
        const auto* before = previous_ != nullptr ? previous_->get(key) : nullptr;
        if (before != nullptr && (*before == status || **before == *status)) {
            status = *before;
        }
        const auto* there = out_.get(key);
        if (there == nullptr || *there != status) {
            out_.set(key, std::move(status));
        }
    }

private:
    Statuses& out_;
    const Statuses* previous_;
};

void edit_policies(const StatusContext& context, Collector& out, Statuses& statuses) {
    std::vector<PolicyStatus> told = policy_statuses(context.world, context.front, context.reach, context.policies);
    for (std::size_t i = 0; i < told.size(); ++i) {
        const model::Object& object = *context.policies.all()[i].policy.object;
        if (!told[i].ancestors.empty()) {
            out.add(object, {0, std::move(told[i])});
        } else {
            statuses.erase(object.key);  // no Gateway of ours comes to it
        }
    }
}

ClassStatus class_status(const Front& front, const ClassFront& entry, const std::string& tracing_fault) {
    ClassStatus status = entry.status;
    AnnotationFaults faults = entry.faults;
    if (&entry == front.edge() && !tracing_fault.empty()) {
        faults.bad_values.push_back(tracing_fault);
    }
    add(status.conditions, faults.condition());
    return status;
}

// Classes, ListenerSets and Gateways.
void edit_fronts(const StatusContext& context, Collector& out) {
    const Front& front = context.front;
    const std::vector<std::int32_t>& attached = context.facts.attached;
    const auto changed = [&](const std::vector<std::size_t>& listeners) {
        return context.facts_before == nullptr ||
               std::any_of(listeners.begin(), listeners.end(), [&](std::size_t at) { return attached[at] != context.facts_before->attached[at]; });
    };
    const bool classes = context.facts_before == nullptr || context.facts_before->tracing_fault != context.facts.tracing_fault;
    for (std::size_t i = 0; classes && i < front.classes.size(); ++i) {
        out.add(*front.classes[i].object.object, {0, class_status(front, front.classes[i], context.facts.tracing_fault)});
    }
    for (const ListenerSetFront& set : front.sets) {
        if (changed(set.listeners)) {
            out.add(*set.object.object, {0, set_status(front, set, attached)});
        }
    }
    for (std::size_t i = 0; i < front.gateways.size(); ++i) {
        if (changed(front.gateways[i].listeners)) {
            out.add(*front.gateways[i].object.object, {0, gateway_status(front, i, attached)});
        }
    }
}

}  // namespace

void edit_statuses(const StatusContext& context, const std::vector<RouteEdit>& edits, Statuses& statuses) {
    Collector out(statuses, context.previous);
    edit_fronts(context, out);
    for (const RouteEdit& edit : edits) {
        if (edit.after && edit.after->status) {
            out.put(edit.after->object->key, edit.after->status);
        } else {
            statuses.erase((edit.after ? edit.after : edit.before)->object->key);
        }
    }
    if (context.policies_moved) {
        edit_policies(context, out, statuses);
    }
}

}  // namespace penstock::compile
