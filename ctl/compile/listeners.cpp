// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/listeners.hpp"

#include <algorithm>

#include "ctl/compile/conflicts.hpp"
#include "ctl/compile/features.hpp"
#include "ctl/compile/hostname.hpp"
#include "ctl/compile/listener_tls.hpp"
#include "ctl/compile/overlaps.hpp"
#include "ctl/model/selector.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::compile {
namespace {

struct Protocol {
    std::string_view name;
    fb::ListenerMode mode;
    Transport transport;
    std::vector<std::string_view> kinds;
};

const std::vector<Protocol>& protocols() {
    static const std::vector<Protocol> table = {
        {"HTTP", fb::ListenerMode::Http, Transport::tcp, {"HTTPRoute", "GRPCRoute"}},
        {"HTTPS", fb::ListenerMode::Https, Transport::tcp, {"HTTPRoute", "GRPCRoute"}},
        {"TLS", fb::ListenerMode::TlsTerminate, Transport::tcp, {"TLSRoute"}},
        {"TCP", fb::ListenerMode::Tcp, Transport::tcp, {"TCPRoute"}},
        {"UDP", fb::ListenerMode::Udp, Transport::udp, {"UDPRoute"}},
    };
    return table;
}

const Protocol* protocol_of(const model::Listener& spec) {
    const auto& table = protocols();
    const auto found = std::find_if(table.begin(), table.end(), [&](const Protocol& protocol) { return protocol.name == spec.protocol; });
    return found != table.end() ? &*found : nullptr;
}

void refuse(Listener& listener, ConditionReason reason, std::string message) {
    if (!listener.refused) {
        listener.refused = Condition{reason, std::move(message)};
    }
}

void set_mode(Listener& listener, const Protocol& protocol) {
    listener.mode = protocol.mode;
    listener.transport = protocol.transport;
    if (protocol.mode != fb::ListenerMode::Tcp && protocol.mode != fb::ListenerMode::Udp) {
        listener.hostname = lower(listener.spec->hostname.value_or(""));  // TCP and UDP have none to tell
    }
    const bool passthrough = listener.spec->tls && listener.spec->tls->mode == "Passthrough";
    if (protocol.mode == fb::ListenerMode::TlsTerminate && passthrough) {
        listener.mode = fb::ListenerMode::TlsPassthrough;
    }
}

// The kinds that are asked for and that the protocol can carry; all of the protocol's if none are asked for.
void set_kinds(Listener& listener, const Protocol& protocol) {
    const auto& wanted = listener.spec->allowed_routes.kinds;
    const auto add = [&](std::string_view kind) { listener.kinds.push_back({std::string(model::kGatewayGroup), std::string(kind)}); };
    if (wanted.empty()) {
        std::for_each(protocol.kinds.begin(), protocol.kinds.end(), add);
    }
    for (const auto& kind : wanted) {
        const bool known = kind.group == model::kGatewayGroup && std::find(protocol.kinds.begin(), protocol.kinds.end(), kind.kind) != protocol.kinds.end();
        if (known) {
            add(kind.kind);
        } else if (!listener.unresolved) {
            listener.unresolved = Condition{ConditionReason::ListenerResolvedRefs_invalid_route_kinds,
                                            kind.kind + " cannot attach to a listener of protocol " + listener.spec->protocol};
        }
    }
}

void check_filters(Listener& listener) {
    if (!listener.spec->filters.empty()) {
        // They decide who may come in.
        refuse(listener, ConditionReason::ListenerAccepted_unsupported_value,
               "filters[0]: a filter of type " + listener.spec->filters[0].type + " is not supported");
    }
}

void check_namespaces(Listener& listener) {
    const model::NamespacesRule& rule = listener.spec->allowed_routes.namespaces;
    const std::string fault = rule.from == "Selector" && rule.selector ? model::fault_of(*rule.selector) : "";
    if (!fault.empty()) {
        refuse(listener, ConditionReason::ListenerAccepted_unsupported_value, "allowedRoutes.namespaces.selector." + fault);
    }
}

class FrontMaker {
public:
    FrontMaker(const World& world, const Options& options, Material& material) : world_(world), options_(options), material_(material) {}

    Front make() {
        add_classes();
        for (const auto& gateway : world_.by_age->gateways) {
            add_gateway(gateway);
        }
        for (const auto& set : world_.by_age->listener_sets) {
            add_set(set);
        }
        for (const GatewayFront& gateway : front_.gateways) {
            find_conflicts(front_, gateway.all_listeners);
            find_overlaps(front_, gateway.all_listeners);
        }
        return std::move(front_);
    }

private:
    void add_classes() {
        for (const auto& object : world_.by_age->classes) {
            if (object.spec->controller_name != options_.controller_name) {
                continue;
            }
            ClassFront entry;
            entry.object = object;
            const std::string fault = read_parameters(entry);
            entry.good = fault.empty();
            entry.faults = read_class(object.object->meta.annotations, entry.settings);
            entry.status.conditions.push_back(entry.good ? Condition{ConditionReason::ClassAccepted_accepted, class_remark(object)}
                                                         : Condition{ConditionReason::ClassAccepted_invalid_parameters, "spec.parametersRef: " + fault});
            entry.status.supported_features.assign(kFeatures.begin(), kFeatures.end());
            front_.classes.push_back(std::move(entry));
        }
    }

    // A ConfigMap whose entry `addresses` is a pool. What is wrong with it; "" if nothing is.
    std::string read_parameters(ClassFront& entry) const {
        const auto& ref = entry.object.spec->parameters_ref;
        if (!ref) {
            return {};
        }
        if (!ref->group.empty() || ref->kind != "ConfigMap") {
            return "a ConfigMap is supported, and no other kind";
        }
        if (!ref->ns) {
            return "ConfigMap " + ref->name + " needs its namespace here";
        }
        const std::string name = "ConfigMap " + *ref->ns + "/" + ref->name;
        const auto object = world_.config_map(*ref->ns, ref->name);
        if (object == nullptr) {
            return name + " is not there";
        }
        const auto& entries = model::body_of<model::ConfigMap>(*object)->data;
        const auto text = entries.find("addresses");
        if (text == entries.end()) {
            return name + " has no entry 'addresses'";
        }
        auto pool = Pool::parse(text->second);
        if (const auto* fault = std::get_if<std::string>(&pool)) {
            return name + ": addresses: " + *fault;
        }
        entry.pool = std::make_shared<const Pool>(std::get<Pool>(std::move(pool)));
        return {};
    }

    // What holds for the whole edge is said by one class.
    std::string class_remark(const Typed<model::GatewayClass>& object) {
        const ClassFront* edge = front_.edge();
        std::string names;
        for (const std::string& name : edge != nullptr && edge->good ? edge_names(object.object->meta.annotations) : std::vector<std::string>()) {
            names += (names.empty() ? "" : ", ") + name;
        }
        return names.empty() ? "" : "without effect, as GatewayClass " + edge->object.name() + " is older: " + names;
    }

    void add_gateway(const Typed<model::Gateway>& object) {
        const auto found = std::find_if(front_.classes.begin(), front_.classes.end(),
                                        [&](const ClassFront& entry) { return entry.object.name() == object.spec->gateway_class_name; });
        if (found == front_.classes.end()) {
            return;
        }
        GatewayFront gateway;
        gateway.object = object;
        gateway.settings = found->settings;
        gateway.pool = found->pool;
        gateway.annotations = read_gateway(object.object->meta.annotations, gateway.settings).condition();
        resolve_client_certificate(gateway, material_);
        if (object.spec->infrastructure && object.spec->infrastructure->parameters_ref) {
            gateway.refused = Condition{ConditionReason::GatewayAccepted_invalid_parameters,
                                        "spec.infrastructure.parametersRef: no kind of parameters is supported"};
        }
        const std::size_t index = front_.gateways.size();
        front_.parents.emplace("Gateway/" + object.ns() + "/" + object.name(), FrontParent{false, index});
        front_.gateways.push_back(std::move(gateway));
        for (const model::Listener& spec : object.spec->listeners) {
            front_.gateways[index].listeners.push_back(add_listener(index, kNone, *object.object, spec));
        }
        front_.gateways[index].all_listeners = front_.gateways[index].listeners;
    }

    void add_set(const Typed<model::ListenerSet>& object) {
        const auto& parent = object.spec->parent_ref;
        const std::string ns = parent.ns.value_or(object.ns());
        const auto found = front_.parents.find("Gateway/" + ns + "/" + parent.name);
        if (parent.kind != "Gateway" || parent.group != model::kGatewayGroup || found == front_.parents.end()) {
            return;
        }
        ListenerSetFront set;
        set.object = object;
        set.gateway = found->second.index;
        GatewayFront& gateway = front_.gateways[set.gateway];
        set.allowed = lets_in(world_, gateway.object.spec->allowed_listeners, gateway.object.ns(), object.ns());
        const std::size_t index = front_.sets.size();
        for (const model::Listener& spec : object.spec->listeners) {
            if (set.allowed) {
                set.listeners.push_back(add_listener(set.gateway, index, *object.object, spec));
            }
        }
        gateway.all_listeners.insert(gateway.all_listeners.end(), set.listeners.begin(), set.listeners.end());
        front_.parents.emplace("ListenerSet/" + object.ns() + "/" + object.name(), FrontParent{true, index});
        front_.sets.push_back(std::move(set));
    }

    std::size_t add_listener(std::size_t gateway, std::size_t set, const model::Object& owner, const model::Listener& spec) {
        Listener listener;
        listener.gateway = gateway;
        listener.set = set;
        listener.owner = &owner;
        listener.spec = &spec;
        listener.name = std::string(set == kNone ? "Gateway/" : "ListenerSet/") + owner.key.ns + "/" + owner.key.name + "/" + spec.name;
        if (const Protocol* protocol = protocol_of(spec)) {
            set_mode(listener, *protocol);
            set_kinds(listener, *protocol);
            check_filters(listener);
            check_namespaces(listener);
            if (listener.needs_certificate()) {
                resolve_certificates(listener, material_);
                read_options(listener);
                resolve_frontend(listener, front_.gateways[gateway].object, material_);
            }
        } else {
            refuse(listener, ConditionReason::ListenerAccepted_unsupported_protocol, "protocol " + spec.protocol + " is not supported");
        }
        front_.listeners.push_back(std::move(listener));
        return front_.listeners.size() - 1;
    }

    const World& world_;
    const Options& options_;
    Material& material_;
    Front front_;
};

}  // namespace

bool lets_in(const World& world, const model::NamespacesRule& rule, const std::string& home, const std::string& ns) {
    if (rule.from == "All") {
        return true;
    }
    if (rule.from == "Same") {
        return ns == home;
    }
    return rule.from == "Selector" && rule.selector && model::selects(*rule.selector, world.namespace_labels(ns));
}

Front make_front(const World& world, const Options& options, Material& material) { return FrontMaker(world, options, material).make(); }

const ClassFront* Front::edge() const {
    const auto found = std::find_if(classes.begin(), classes.end(), [](const ClassFront& entry) { return entry.good; });
    return found != classes.end() ? &*found : classes.empty() ? nullptr : &classes.front();
}

const ClassSettings& Front::edge_settings() const {
    static const ClassSettings kDefaults;
    const ClassFront* found = edge();
    return found != nullptr ? found->settings : kDefaults;
}

std::string client_key(const GatewayFront& gateway) { return "client/" + gateway.object.ns() + "/" + gateway.object.name(); }

fb::ObjectRefT ref_of(const model::Object& object) {
    fb::ObjectRefT ref;
    ref.kind = std::string(model::kind_name(object.key.kind));
    ref.namespace_ = object.key.ns;
    ref.name = object.key.name;
    return ref;
}

}  // namespace penstock::compile
