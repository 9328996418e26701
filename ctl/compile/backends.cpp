// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/backends.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "ctl/compile/listeners.hpp"
#include "schema/part_name.hpp"
#include "userspace/base/assert.hpp"

namespace penstock::compile {
namespace {

constexpr std::string_view kWebSocketOverTls = "kubernetes.io/wss";
constexpr std::string_view kProtocolNames[] = {"http1", "http2", "websocket", "raw"};

std::string quote(std::string_view kind, std::string_view ns, std::string_view name) {
    return std::string(kind) + " " + std::string(ns) + "/" + std::string(name);
}

// As a Service's ports call it; SCTP is none of ours.
std::string_view protocol_name(Transport transport) { return transport == Transport::udp ? "UDP" : "TCP"; }

Resolved unresolved(ConditionReason reason, std::string message) { return {std::nullopt, Condition{reason, std::move(message)}, {}}; }

fb::BackendProtocol protocol_of(const Asker& asker, const model::ServicePort& port) {
    if (!asker.http) {
        return fb::BackendProtocol::Raw;
    }
    if (asker.grpc || port.app_protocol == "kubernetes.io/h2c") {
        return fb::BackendProtocol::Http2;
    }
    const bool websocket = port.app_protocol == "kubernetes.io/ws" || port.app_protocol == kWebSocketOverTls;
    return websocket ? fb::BackendProtocol::WebSocket : fb::BackendProtocol::Http1;
}

const model::EndpointPort* port_in(const model::EndpointSlice& slice, const model::ServicePort& port) {
    for (const model::EndpointPort& candidate : slice.ports) {
        if (candidate.name == port.name && candidate.protocol == port.protocol) {
            return &candidate;
        }
    }
    return nullptr;
}

// How a listed endpoint is used. One that terminates but still serves steps in when no other is ready, as in kube-proxy.
enum class Use { ready, fallback, draining };

Use use_of(const model::EndpointConditions& conditions) {
    const bool ready = conditions.ready.value_or(true);
    const bool terminating = conditions.terminating.value_or(false);
    if (ready && !terminating) {
        return Use::ready;
    }
    return terminating && conditions.serving.value_or(ready) ? Use::fallback : Use::draining;
}

struct Found {
    SetEndpoint endpoint;
    Use use;
};

void add_slice(const model::EndpointSlice& slice, const model::ServicePort& port, std::map<Endpoint, Found>& found) {
    const model::EndpointPort* at = port_in(slice, port);
    if (at == nullptr || slice.address_type == "FQDN") {
        return;
    }
    // A slice without a port number leaves it to the Service.
    const std::uint16_t number = static_cast<std::uint16_t>(at->port ? *at->port : port.target_number.value_or(port.port));
    for (const model::SliceEndpoint& endpoint : slice.endpoints) {
        // The addresses of one endpoint are one pod's; like kube-proxy we take the first.
        const auto ip = endpoint.addresses.empty() ? std::nullopt : IpAddress::parse(endpoint.addresses.front());
        if (!ip) {
            continue;
        }
        const Use use = use_of(endpoint.conditions);
        const Endpoint address{*ip, number};
        const auto [place, added] = found.try_emplace(address, Found{{address, false, endpoint.node_name, endpoint.target}, use});
        place->second.use = std::min(place->second.use, use);
    }
}

std::vector<SetEndpoint> endpoints_of(const std::vector<std::shared_ptr<const model::Object>>& slices, const model::ServicePort& port) {
    std::map<Endpoint, Found> found;
    for (const auto& slice : slices) {
        add_slice(std::get<model::EndpointSlice>(slice->body), port, found);
    }
    const bool any_ready = std::any_of(found.begin(), found.end(), [](const auto& entry) { return entry.second.use == Use::ready; });
    const Use last = any_ready ? Use::ready : Use::fallback;
    std::vector<SetEndpoint> endpoints;
    for (auto& [address, entry] : found) {
        entry.endpoint.draining = entry.use > last;
        endpoints.push_back(std::move(entry.endpoint));
    }
    return endpoints;
}

// All but ids and endpoints.
fb::BackendSetT content_of(BackendSet& set, const ServedSet& wanted) {
    fb::BackendSetT content;
    content.object = std::make_unique<fb::ObjectRefT>(ref_of(*set.service));
    content.port = wanted.use.port;
    content.protocol = wanted.use.protocol;
    content.balance = set.settings.balance;
    content.hash_header = set.settings.hash_header;
    content.connections_max = set.settings.connections_max;
    content.proxy_protocol = set.settings.proxy_protocol;
    content.health = std::make_unique<fb::PassiveHealthT>(set.settings.health);
    if (wanted.tls) {
        content.tls = std::make_unique<fb::BackendTlsT>(*wanted.tls);
        set.trust = wanted.tls->trust;
        set.client_certificate = wanted.tls->client_certificate;
    }
    return content;
}

std::unique_ptr<fb::BackendEndpointT> entry_of(const SetEndpoint& endpoint, std::uint32_t id) {
    auto entry = std::make_unique<fb::BackendEndpointT>();
    entry->address = std::make_unique<fb::Address>(to_fb(endpoint.endpoint.address));
    entry->port = endpoint.endpoint.port;
    entry->state = endpoint.draining ? fb::EndpointState::Draining : fb::EndpointState::Ready;
    entry->id = id;
    return entry;
}

}  // namespace

Resolved Backends::resolve(const Asker& asker, const model::BackendObjectRef& ref) const {
    const std::string ns = ref.ns.value_or(std::string(asker.ns));
    if (!ref.group.empty() || ref.kind != "Service") {
        return unresolved(ConditionReason::RouteResolvedRefs_invalid_kind,
                          "backendRef to " + (ref.group.empty() ? "" : ref.group + "/") + ref.kind + " " + ref.name + ": only a Service can be one");
    }
    if (!world_->permitted({model::kGatewayGroup, asker.kind, asker.ns}, {"", "Service", ns, ref.name})) {
        return unresolved(ConditionReason::RouteResolvedRefs_ref_not_permitted,
                          "no ReferenceGrant in " + ns + " lets " + std::string(asker.kind) + " of " + std::string(asker.ns) + " refer to " +
                              quote("Service", ns, ref.name));
    }
    const Typed<model::Service> service = world_->service(ns, ref.name);
    if (!service) {
        return unresolved(ConditionReason::RouteResolvedRefs_backend_not_found, quote("Service", ns, ref.name) + " does not exist");
    }
    if (service.spec->type == "ExternalName") {
        return unresolved(ConditionReason::RouteResolvedRefs_unsupported_protocol,
                          quote("Service", ns, ref.name) + " is of type ExternalName, which is not served");
    }
    const std::string_view protocol = protocol_name(asker.transport);
    const model::ServicePort* port = nullptr;
    bool other_protocol = false;
    for (const model::ServicePort& candidate : service.spec->ports) {
        if (ref.port && candidate.port == *ref.port) {
            other_protocol |= candidate.protocol != protocol;
            port = candidate.protocol == protocol ? &candidate : port;
        }
    }
    const std::string wanted = quote("Service", ns, ref.name) + (ref.port ? " port " + std::to_string(*ref.port) : " without a port");
    if (port == nullptr && other_protocol) {
        return unresolved(ConditionReason::RouteResolvedRefs_unsupported_protocol, wanted + " is not a " + std::string(protocol) + " port");
    }
    if (port == nullptr) {
        return unresolved(ConditionReason::RouteResolvedRefs_backend_not_found, wanted + " does not exist");
    }
    if (asker.http && port->app_protocol == kWebSocketOverTls && !world_->has_tls_policy(ns, ref.name, port->name)) {
        return unresolved(ConditionReason::RouteResolvedRefs_unsupported_protocol, wanted + " speaks TLS, and no BackendTLSPolicy says how to verify it");
    }
    Resolved resolved;
    resolved.use = SetUse{{}, ns, ref.name, static_cast<std::uint16_t>(port->port), port->name, asker.transport, protocol_of(asker, *port)};
    const std::string_view spoken = asker.transport == Transport::udp ? "udp" : kProtocolNames[static_cast<std::size_t>(resolved.use->protocol)];
    resolved.use->key = ns + "/" + ref.name + "/" + std::to_string(port->port) + "/" + std::string(spoken);
    ServiceSettings settings;
    resolved.annotations = read_service(service.object->meta.annotations, settings);
    return resolved;
}

void Backends::use(ServedSet set) {
    Change& change = changes_[set.key];
    ++change.uses;
    change.served = std::move(set);
}

void Backends::release(const std::string& key) { --changes_[key].uses; }

void Backends::settle(const std::set<std::string>& services, Parts& parts) {
    for (const std::string& service : services) {
        const std::string prefix = service + "/";
        for (auto set = sets_.lower_bound(prefix); set != sets_.end() && set->first.starts_with(prefix); ++set) {
            changes_.try_emplace(set->first);
        }
    }
    for (const auto& [key, change] : std::exchange(changes_, {})) {
        settle(key, change, parts);
    }
}

void Backends::settle(const std::string& key, const Change& change, Parts& parts) {
    const UsedSet* before = sets_.get(key);
    const std::int64_t uses = change.uses + (before != nullptr ? before->uses : 0);
    PST_ASSERT(uses >= 0 && (before != nullptr || change.served || uses == 0));
    if (before == nullptr && uses == 0) {
        return;
    }
    const BackendSetPtr old = before != nullptr ? before->set : nullptr;
    if (old) {
        let_go(*old);
    }
    const std::string path = fb::part_path(fb::PartKind::Backends, key);
    if (uses == 0) {
        sets_.erase(key);
        parts.erase(path);
        return;
    }
    BackendSetPtr now = make(change.served ? *change.served : old->served);
    if (!old || now->part != old->part) {
        parts.set(path, now->part);
    }
    UsedSet used{std::move(now), static_cast<std::uint32_t>(uses)};
    if (before == nullptr || !(*before == used)) {
        sets_.set(key, std::move(used));
    }
}

void Backends::let_go(const BackendSet& set) {
    set_ids_->release(set.served.key);
    std::for_each(set.id_names.begin(), set.id_names.end(), [&](const std::string& name) { endpoint_ids_->release(name); });
}

BackendSetPtr Backends::make(const ServedSet& wanted) {
    const SetUse& use = wanted.use;
    const Typed<model::Service> service = world_->service(use.ns, use.service);
    const auto& slices = world_->slices(use.ns, use.service);
    const UsedSet* used = previous_.sets != nullptr ? previous_.sets->get(wanted.key) : nullptr;
    const BackendSetPtr before = used != nullptr ? used->set : nullptr;
    if (before && before->service == service.object && before->slices == slices && before->served.policy == wanted.policy) {
        set_ids_->take(wanted.key);
        std::for_each(before->id_names.begin(), before->id_names.end(), [&](const std::string& name) { endpoint_ids_->take(name); });
        return before;
    }
    auto set = std::make_shared<BackendSet>();
    set->service = service.object;
    set->slices = slices;
    set->served = wanted;
    (void)read_service(service.object->meta.annotations, set->settings);  // routes tell of the faults
    for (const model::ServicePort& port : service.spec->ports) {
        if (port.port == use.port && port.protocol == protocol_name(use.transport)) {
            set->endpoints = endpoints_of(slices, port);
            break;
        }
    }
    fb::BackendSetT content = content_of(*set, wanted);
    content.id = set_ids_->take(wanted.key).value_or(0);
    for (const SetEndpoint& endpoint : set->endpoints) {
        set->id_names.push_back(endpoint.endpoint.text());
        content.endpoints.push_back(entry_of(endpoint, endpoint_ids_->take(set->id_names.back()).value_or(0)));
    }
    set->part = make_part<fb::BackendSet>(fb::PartKind::Backends, wanted.key, *content.object, content, previous_.parts);
    return set;
}

}  // namespace penstock::compile
