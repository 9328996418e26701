// SPDX-License-Identifier: Apache-2.0
// GatewayClass, Gateway, ListenerSet, BackendTLSPolicy, ReferenceGrant of the Gateway API v1.7.0, experimental fields included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/model/boxed.hpp"
#include "ctl/model/objects.hpp"
#include "ctl/model/objects_filter.hpp"

namespace penstock::model {

struct GatewayClass {
    std::string controller_name;
    std::optional<ObjectRef> parameters_ref;
    std::string description;
};

struct NamespacesRule {
    std::string from = "Same";              // All, Selector, Same, None
    std::optional<LabelSelector> selector;  // counts with Selector alone
};

struct RouteKind {
    std::string group = kGatewayGroup;
    std::string kind;
};

struct AllowedRoutes {
    NamespacesRule namespaces;
    std::vector<RouteKind> kinds;  // empty: all that the protocol carries
};

struct ListenerTls {
    std::string mode = "Terminate";  // or Passthrough
    std::vector<SecretRef> certificate_refs;
    Labels options;
};

// spec.listeners[].filters.requests[] (experimental).
struct ListenerFilter {
    std::string type;  // ExternalAuth, ExtensionRef
    std::optional<ExternalAuthFilter> external_auth;
    std::optional<ObjectRef> extension_ref;
};

// Of a Gateway or a ListenerSet.
struct Listener {
    std::string name;
    std::optional<std::string> hostname;  // absent: all names. May begin with "*."
    std::int32_t port = 0;                // 1 to 65535
    std::string protocol;                 // HTTP, HTTPS, TLS, TCP, UDP, or one that we do not know
    std::optional<ListenerTls> tls;
    AllowedRoutes allowed_routes;
    std::vector<ListenerFilter> filters;
};

struct GatewayAddress {
    std::string type = "IPAddress";  // IPAddress, Hostname, or a domain-prefixed one
    std::string value;               // "": any that the controller assigns
    std::string routability;         // experimental
};

struct GatewayInfrastructure {
    Labels labels;
    Labels annotations;
    std::optional<ObjectRef> parameters_ref;
};

// How certificates of clients are checked.
struct FrontendValidation {
    std::vector<SecretRef> ca_certificate_refs;  // ConfigMaps mostly; group and kind have no default
    std::string mode = "AllowValidOnly";         // or AllowInsecureFallback
};

struct FrontendTls {
    std::optional<FrontendValidation> validation;
};

struct FrontendPort {
    std::int32_t port = 0;
    FrontendTls tls;
};

struct GatewayTls {
    std::optional<SecretRef> client_certificate_ref;  // spec.tls.backend: shown to backends
    FrontendTls frontend_default;
    std::vector<FrontendPort> frontend_ports;

    // The check for HTTPS listeners on `port`, null if clients need no certificate.
    [[nodiscard]] const FrontendValidation* frontend_of(std::int32_t port) const;
};

struct Gateway {
    std::string gateway_class_name;
    std::vector<Listener> listeners;
    std::vector<GatewayAddress> addresses;
    Boxed<GatewayInfrastructure> infrastructure;
    NamespacesRule allowed_listeners{.from = "None", .selector = {}};
    Boxed<GatewayTls> tls;
    std::string default_scope = "None";  // experimental
};

struct ParentGatewayRef {
    std::string group = kGatewayGroup;
    std::string kind = "Gateway";
    std::string name;
    std::optional<std::string> ns;
};

struct ListenerSet {
    ParentGatewayRef parent_ref;
    std::vector<Listener> listeners;
};

struct PolicyTarget {
    std::string group;
    std::string kind;
    std::string name;
    std::optional<std::string> section_name;  // of a Service: the name of a port
};

struct SubjectAltName {
    std::string type;  // Hostname, URI
    std::string hostname;
    std::string uri;
};

struct BackendTlsValidation {
    std::vector<ObjectRef> ca_certificate_refs;  // of the policy's own namespace
    std::string well_known_ca_certificates;      // "" or System
    std::string hostname;
    std::vector<SubjectAltName> subject_alt_names;
};

struct BackendTlsPolicy {
    std::vector<PolicyTarget> target_refs;
    BackendTlsValidation validation;
    Labels options;
};

struct GrantFrom {
    std::string group;
    std::string kind;
    std::string ns;
};

struct GrantTo {
    std::string group;
    std::string kind;
    std::optional<std::string> name;  // absent: all of the kind
};

struct ReferenceGrant {
    std::vector<GrantFrom> from;
    std::vector<GrantTo> to;
};

}  // namespace penstock::model
