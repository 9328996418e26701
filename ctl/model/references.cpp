// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/references.hpp"

#include <type_traits>
#include <utility>
#include <variant>

namespace penstock::model {

namespace {

std::string indexed(const std::string& list, std::size_t index) { return list + "[" + std::to_string(index) + "]"; }

class Collector {
public:
    Collector(const std::string& ns, bool owners_only) : ns_(ns), owners_only_(owners_only) {}

    void operator()(const Gateway& gateway) {
        found.push_back({.role = Role::gateway_class, .path = "spec.gatewayClassName", .group = kGatewayGroup, .kind = "GatewayClass", .ns = {}, .name = gateway.gateway_class_name,
                         .section = {}, .port = {}});
        if (owners_only_) {
            return;
        }
        listeners(gateway.listeners);
        if (!gateway.tls) {
            return;
        }
        if (gateway.tls->client_certificate_ref) {
            secret(Role::certificate, *gateway.tls->client_certificate_ref, "spec.tls.backend.clientCertificateRef");
        }
        frontend(gateway.tls->frontend_default, "spec.tls.frontend.default");
        for (std::size_t i = 0; i < gateway.tls->frontend_ports.size(); ++i) {
            frontend(gateway.tls->frontend_ports[i].tls, indexed("spec.tls.frontend.perPort", i) + ".tls");
        }
    }
    void operator()(const ListenerSet& set) {
        const ParentGatewayRef& ref = set.parent_ref;
        found.push_back({.role = Role::parent, .path = "spec.parentRef", .group = ref.group, .kind = ref.kind, .ns = ref.ns.value_or(ns_), .name = ref.name, .section = {}, .port = {}});
        if (!owners_only_) {
            listeners(set.listeners);
        }
    }
    void operator()(const BackendTlsPolicy& policy) {
        if (owners_only_) {
            return;
        }
        for (std::size_t i = 0; i < policy.target_refs.size(); ++i) {
            const PolicyTarget& ref = policy.target_refs[i];
            found.push_back({.role = Role::target, .path = indexed("spec.targetRefs", i), .group = ref.group, .kind = ref.kind, .ns = ns_, .name = ref.name, .section = ref.section_name, .port = {}});
        }
        for (std::size_t i = 0; i < policy.validation.ca_certificate_refs.size(); ++i) {
            const ObjectRef& ref = policy.validation.ca_certificate_refs[i];
            found.push_back({.role = Role::authority, .path = indexed("spec.validation.caCertificateRefs", i), .group = ref.group, .kind = ref.kind, .ns = ref.ns.value_or(ns_), .name = ref.name,
                             .section = {}, .port = {}});
        }
    }
    template <class Spec>
    void operator()(const Spec& spec) {
        if constexpr (std::is_base_of_v<RouteParents, Spec>) {
            for (std::size_t i = 0; i < spec.parent_refs.size(); ++i) {
                const ParentRef& ref = spec.parent_refs[i];
                found.push_back({.role = Role::parent, .path = indexed("spec.parentRefs", i), .group = ref.group.value_or(kGatewayGroup), .kind = ref.kind.value_or("Gateway"),
                                 .ns = ref.ns.value_or(ns_), .name = ref.name, .section = ref.section_name, .port = ref.port});
            }
            for (std::size_t i = 0; i < spec.rules.size() && !owners_only_; ++i) {
                rule(spec.rules[i], indexed("spec.rules", i));
            }
        }
    }

    std::vector<Reference> found;

private:
    void backend(const BackendObjectRef& ref, std::string path, std::int32_t weight) {
        found.push_back({.role = Role::backend, .path = std::move(path), .group = ref.group, .kind = ref.kind, .ns = ref.ns.value_or(ns_), .name = ref.name, .section = {}, .port = ref.port,
                         .weight = weight});
    }
    void secret(Role role, const SecretRef& ref, std::string path) {
        found.push_back({.role = role, .path = std::move(path), .group = ref.group, .kind = ref.kind, .ns = ref.ns.value_or(ns_), .name = ref.name, .section = {}, .port = {}});
    }
    void frontend(const FrontendTls& tls, const std::string& path) {
        for (std::size_t i = 0; tls.validation && i < tls.validation->ca_certificate_refs.size(); ++i) {
            secret(Role::authority, tls.validation->ca_certificate_refs[i], indexed(path + ".validation.caCertificateRefs", i));
        }
    }
    void listeners(const std::vector<Listener>& list) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            for (std::size_t k = 0; list[i].tls && k < list[i].tls->certificate_refs.size(); ++k) {
                secret(Role::certificate, list[i].tls->certificate_refs[k], indexed(indexed("spec.listeners", i) + ".tls.certificateRefs", k));
            }
            for (std::size_t k = 0; k < list[i].filters.size(); ++k) {
                if (list[i].filters[k].external_auth) {
                    backend(list[i].filters[k].external_auth->backend_ref, indexed(indexed("spec.listeners", i) + ".filters", k) + ".externalAuth.backendRef", 1);
                }
            }
        }
    }
    void filters(const std::vector<HttpFilter>& list, const std::string& path) {
        for (std::size_t i = 0; i < list.size(); ++i) {
            if (list[i].request_mirror) {
                backend(list[i].request_mirror->backend_ref, indexed(path, i) + ".requestMirror.backendRef", 1);
            }
            if (list[i].external_auth) {
                backend(list[i].external_auth->backend_ref, indexed(path, i) + ".externalAuth.backendRef", 1);
            }
        }
    }
    template <class Rule>
    void rule(const Rule& rule, const std::string& path) {
        for (std::size_t i = 0; i < rule.backend_refs.size(); ++i) {
            const std::string at = indexed(path + ".backendRefs", i);
            backend(rule.backend_refs[i], at, rule.backend_refs[i].weight);
            if constexpr (!std::is_same_v<Rule, L4Rule>) {
                filters(rule.backend_refs[i].filters, at + ".filters");
            }
        }
        if constexpr (!std::is_same_v<Rule, L4Rule>) {
            filters(rule.filters, path + ".filters");
        }
    }

    const std::string& ns_;
    const bool owners_only_;
};

std::vector<Reference> collect(const Object& object, bool owners_only) {
    Collector collector(object.key.ns, owners_only);
    std::visit(collector, object.body);
    return std::move(collector.found);
}

}  // namespace

std::vector<Reference> references_of(const Object& object) { return collect(object, false); }
std::vector<Reference> owners_of(const Object& object) { return collect(object, true); }

std::optional<Kind> kind_of(const Reference& reference) {
    const auto kind = kind_of_word(reference.kind);
    return kind && info(*kind).group == reference.group && info(*kind).name == reference.kind ? kind : std::nullopt;
}

std::string text_of(const Reference& reference) { return reference.kind + " " + (reference.ns.empty() ? "" : reference.ns + "/") + reference.name; }

}  // namespace penstock::model
