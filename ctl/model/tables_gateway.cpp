// SPDX-License-Identifier: Apache-2.0
// GatewayClass, Gateway, ListenerSet, BackendTLSPolicy, ReferenceGrant.
#include "ctl/model/tables.hpp"

namespace penstock::model {

const Table<GatewayClass>& table_of(const GatewayClass*) {
    static const FieldsOf<GatewayClass> f;
    static const Table<GatewayClass> table = {{f.required("controllerName", &GatewayClass::controller_name, matches(is_prefixed_path, "is not a controller's name like example.com/name")),
                                               f.optional("parametersRef", &GatewayClass::parameters_ref), f.optional("description", &GatewayClass::description, length(0, 64))},
                                              {}, {}};
    return table;
}

const Table<NamespacesRule>& table_of(const NamespacesRule*) {
    static const FieldsOf<NamespacesRule> f;
    static const Table<NamespacesRule> table = {{f.optional("from", &NamespacesRule::from, one_of({"All", "Selector", "Same", "None"})), f.optional("selector", &NamespacesRule::selector)}, {}, {}};
    return table;
}

const Table<RouteKind>& table_of(const RouteKind*) {
    static const FieldsOf<RouteKind> f;
    static const Table<RouteKind> table = {{f.optional("group", &RouteKind::group, group_name()), f.required("kind", &RouteKind::kind, kind_text())}, {}, {}};
    return table;
}

const Table<AllowedRoutes>& table_of(const AllowedRoutes*) {
    static const FieldsOf<AllowedRoutes> f;
    static const Table<AllowedRoutes> table = {{f.optional("namespaces", &AllowedRoutes::namespaces), f.optional("kinds", &AllowedRoutes::kinds, items{0, 8})}, {}, {}};
    return table;
}

const Table<ListenerTls>& table_of(const ListenerTls*) {
    static const FieldsOf<ListenerTls> f;
    static const Table<ListenerTls> table = {{f.optional("mode", &ListenerTls::mode, one_of({"Terminate", "Passthrough"})),
                                              f.optional("certificateRefs", &ListenerTls::certificate_refs, items{0, 64}), f.optional("options", &ListenerTls::options, items{0, 16})},
                                             {[](const At& at, const ListenerTls& tls) {
                                                 if (tls.mode == "Terminate" && tls.certificate_refs.empty() && tls.options.empty()) {
                                                     at.error("certificateRefs or options must be set to terminate TLS");
                                                 }
                                             }}, {}};
    return table;
}

const Table<ListenerFilter>& table_of(const ListenerFilter*) {
    static const FieldsOf<ListenerFilter> f;
    static const Table<ListenerFilter> table = {{f.required("type", &ListenerFilter::type), f.optional("externalAuth", &ListenerFilter::external_auth),
                                                 f.optional("extensionRef", &ListenerFilter::extension_ref)}, {}, {}};
    return table;
}

namespace {
// The CRD's rules between a listener's protocol, hostname and tls.
void check_listener(const At& at, const Listener& listener) {
    const bool plain = listener.protocol == "HTTP" || listener.protocol == "TCP" || listener.protocol == "UDP";
    if (plain && listener.tls) {
        at.member("tls").error("must not be set for protocol " + listener.protocol);
    }
    if (listener.protocol == "HTTPS" && listener.tls && listener.tls->mode != "Terminate") {
        at.member("tls").error("mode must be Terminate for protocol HTTPS");
    }
    if (listener.protocol == "TLS" && !listener.tls) {
        at.member("tls").error("must be set for protocol TLS");
    }
    if ((listener.protocol == "TCP" || listener.protocol == "UDP") && listener.hostname && !listener.hostname->empty()) {
        at.member("hostname").error("must not be set for protocol " + listener.protocol);
    }
}

void check_listeners(const At& at, const std::vector<Listener>& listeners) {
    check_unique(at, "listeners", listeners, "name", [](const Listener& listener) { return listener.name; });
    check_unique(at, "listeners", listeners, "port, protocol and hostname", [](const Listener& listener) {
        return std::to_string(listener.port) + "/" + listener.protocol + "/" + listener.hostname.value_or("");
    });
}
}  // namespace

const Table<Listener>& table_of(const Listener*) {
    static const FieldsOf<Listener> f;
    static const Table<Listener> table = {
        {f.required("name", &Listener::name, section_name()),
         f.optional("hostname", &Listener::hostname, [](const std::string& text) { return text.empty() ? std::string() : hostname()(text); }),
         f.required("port", &Listener::port, port), f.required("protocol", &Listener::protocol, matches(is_protocol, "is not a protocol")),
         f.optional("tls", &Listener::tls), f.optional("allowedRoutes", &Listener::allowed_routes),
         f.custom("filters", false, [](const At& at, const Value& value, Listener& out) {
             if (!expect(at, value, Value::Type::object)) {
                 return;
             }
             if (const Value* requests = value.find("requests")) {
                 read_value(at.member("requests", requests->line()), *requests, out.filters);
             }
         })},
        {check_listener}, {}};
    return table;
}

const Table<GatewayAddress>& table_of(const GatewayAddress*) {
    static const FieldsOf<GatewayAddress> f;
    static const Table<GatewayAddress> table = {{f.optional("type", &GatewayAddress::type, [](const std::string& type) {
                                                     return type == "IPAddress" || type == "Hostname" || type == "NamedAddress" || is_prefixed_path(type) ? std::string() : quoted(type) + " is not a type of address";
                                                 }),
                                                 f.optional("value", &GatewayAddress::value, length(0, 253)), f.optional("routability", &GatewayAddress::routability)},
                                                {}, {}};
    return table;
}

const Table<GatewayInfrastructure>& table_of(const GatewayInfrastructure*) {
    static const FieldsOf<GatewayInfrastructure> f;
    static const Table<GatewayInfrastructure> table = {{f.optional("labels", &GatewayInfrastructure::labels, items{0, 8}), f.optional("annotations", &GatewayInfrastructure::annotations, items{0, 16}),
                                                        f.optional("parametersRef", &GatewayInfrastructure::parameters_ref)}, {}, {}};
    return table;
}

const Table<FrontendValidation>& table_of(const FrontendValidation*) {
    static const FieldsOf<FrontendValidation> f;
    static const Table<FrontendValidation> table = {{f.required("caCertificateRefs", &FrontendValidation::ca_certificate_refs, items{1, 16}),
                                                     f.optional("mode", &FrontendValidation::mode, one_of({"AllowValidOnly", "AllowInsecureFallback"}))}, {}, {}};
    return table;
}

const Table<FrontendTls>& table_of(const FrontendTls*) {
    static const FieldsOf<FrontendTls> f;
    static const Table<FrontendTls> table = {{f.optional("validation", &FrontendTls::validation)}, {}, {}};
    return table;
}

const Table<FrontendPort>& table_of(const FrontendPort*) {
    static const FieldsOf<FrontendPort> f;
    static const Table<FrontendPort> table = {{f.required("port", &FrontendPort::port, port), f.required("tls", &FrontendPort::tls)}, {}, {}};
    return table;
}

const Table<GatewayTls>& table_of(const GatewayTls*) {
    static const FieldsOf<GatewayTls> f;
    static const Table<GatewayTls> table = {
        {f.custom("backend", false, [](const At& at, const Value& value, GatewayTls& out) {
             if (!expect(at, value, Value::Type::object)) {
                 return;
             }
             if (const Value* ref = value.find("clientCertificateRef")) {
                 read_value(at.member("clientCertificateRef", ref->line()), *ref, out.client_certificate_ref);
             }
         }),
         f.custom("frontend", false, [](const At& at, const Value& value, GatewayTls& out) {
             if (!expect(at, value, Value::Type::object)) {
                 return;
             }
             if (const Value* all = value.find("default")) {
                 read_value(at.member("default", all->line()), *all, out.frontend_default);
             } else {
                 at.member("default", value.line()).error("is missing");
             }
             if (const Value* ports = value.find("perPort")) {
                 read_value(at.member("perPort", ports->line()), *ports, out.frontend_ports);
                 check_unique(at, "perPort", out.frontend_ports, "port", [](const FrontendPort& entry) { return entry.port; });
             }
         })},
        {}, {}};
    return table;
}

const Table<Gateway>& table_of(const Gateway*) {
    static const FieldsOf<Gateway> f;
    static const Table<Gateway> table = {
        {f.required("gatewayClassName", &Gateway::gateway_class_name, length(1, 253)), f.required("listeners", &Gateway::listeners, items{1, 64}),
         f.optional("addresses", &Gateway::addresses, items{0, 16}), f.optional("infrastructure", &Gateway::infrastructure),
         f.custom("allowedListeners", false, [](const At& at, const Value& value, Gateway& out) {
             if (!expect(at, value, Value::Type::object)) {
                 return;
             }
             if (const Value* namespaces = value.find("namespaces")) {
                 out.allowed_listeners = {.from = "None", .selector = {}};
                 read_value(at.member("namespaces", namespaces->line()), *namespaces, out.allowed_listeners);
                 out.allowed_listeners.from = namespaces->find("from") == nullptr ? "None" : out.allowed_listeners.from;
             }
         }),
         f.optional("tls", &Gateway::tls), f.optional("defaultScope", &Gateway::default_scope, one_of({"All", "None"}))},
        {[](const At& at, const Gateway& gateway) { check_listeners(at, gateway.listeners); }}, {}};
    return table;
}

const Table<ParentGatewayRef>& table_of(const ParentGatewayRef*) {
    static const FieldsOf<ParentGatewayRef> f;
    static const Table<ParentGatewayRef> table = {{f.optional("group", &ParentGatewayRef::group, group_name()), f.optional("kind", &ParentGatewayRef::kind, kind_text()),
                                                   f.required("name", &ParentGatewayRef::name, length(1, 253)), f.optional("namespace", &ParentGatewayRef::ns, namespace_name())}, {}, {}};
    return table;
}

const Table<ListenerSet>& table_of(const ListenerSet*) {
    static const FieldsOf<ListenerSet> f;
    static const Table<ListenerSet> table = {{f.required("parentRef", &ListenerSet::parent_ref), f.required("listeners", &ListenerSet::listeners, items{1, 64})},
                                             {[](const At& at, const ListenerSet& set) { check_listeners(at, set.listeners); }}, {}};
    return table;
}

const Table<PolicyTarget>& table_of(const PolicyTarget*) {
    static const FieldsOf<PolicyTarget> f;
    static const Table<PolicyTarget> table = {{f.required("group", &PolicyTarget::group, group_name()), f.required("kind", &PolicyTarget::kind, kind_text()),
                                               f.required("name", &PolicyTarget::name, length(1, 253)), f.optional("sectionName", &PolicyTarget::section_name, section_name())}, {}, {}};
    return table;
}

const Table<SubjectAltName>& table_of(const SubjectAltName*) {
    static const FieldsOf<SubjectAltName> f;
    static const Table<SubjectAltName> table = {{f.required("type", &SubjectAltName::type, one_of({"Hostname", "URI"})), f.optional("hostname", &SubjectAltName::hostname, hostname()),
                                                 f.optional("uri", &SubjectAltName::uri, length(1, 253))},
                                                {[](const At& at, const SubjectAltName& name) {
                                                    const bool host = name.type == "Hostname";
                                                    if (host == name.hostname.empty() || host != name.uri.empty()) {
                                                        at.error(host ? "hostname alone must be set with type Hostname" : "uri alone must be set with type URI");
                                                    }
                                                }}, {}};
    return table;
}

const Table<BackendTlsValidation>& table_of(const BackendTlsValidation*) {
    static const FieldsOf<BackendTlsValidation> f;
    static const Table<BackendTlsValidation> table = {
        {f.optional("caCertificateRefs", &BackendTlsValidation::ca_certificate_refs, items{0, 8}),
         f.optional("wellKnownCACertificates", &BackendTlsValidation::well_known_ca_certificates, [](const std::string& name) {
             return name.empty() || name == "System" || is_prefixed_path(name) ? std::string() : quoted(name) + " is neither System nor a name like example.com/name";
         }), f.required("hostname", &BackendTlsValidation::hostname, hostname()),
         f.optional("subjectAltNames", &BackendTlsValidation::subject_alt_names, items{0, 5})},
        {[](const At& at, const BackendTlsValidation& validation) {
            if (validation.ca_certificate_refs.empty() == validation.well_known_ca_certificates.empty()) {
                at.error("exactly one of caCertificateRefs and wellKnownCACertificates must be set");
            }
        }}, {}};
    return table;
}

namespace {
// Of one object either all or one: two parts of it by their sections, or the whole.
void check_targets(const At& at, const BackendTlsPolicy& policy) {
    auto object = [](const PolicyTarget& target) { return target.group + "/" + target.kind + "/" + target.name; };
    check_unique(at, "targetRefs", policy.target_refs, "target and sectionName",
                 [&](const PolicyTarget& target) { return object(target) + "/" + target.section_name.value_or(""); });
    for (const PolicyTarget& one : policy.target_refs) {
        for (const PolicyTarget& other : policy.target_refs) {
            if (object(one) == object(other) && one.section_name.has_value() != other.section_name.has_value()) {
                at.member("targetRefs").error("every reference to " + one.name + " needs a sectionName, as there are several");
                return;
            }
        }
    }
}
}  // namespace

const Table<BackendTlsPolicy>& table_of(const BackendTlsPolicy*) {
    static const FieldsOf<BackendTlsPolicy> f;
    static const Table<BackendTlsPolicy> table = {{f.required("targetRefs", &BackendTlsPolicy::target_refs, items{1, 16}), f.required("validation", &BackendTlsPolicy::validation),
                                                   f.optional("options", &BackendTlsPolicy::options, items{0, 16})}, {check_targets}, {}};
    return table;
}

const Table<GrantFrom>& table_of(const GrantFrom*) {
    static const FieldsOf<GrantFrom> f;
    static const Table<GrantFrom> table = {{f.required("group", &GrantFrom::group, group_name()), f.required("kind", &GrantFrom::kind, kind_text()),
                                            f.required("namespace", &GrantFrom::ns, namespace_name())}, {}, {}};
    return table;
}

const Table<GrantTo>& table_of(const GrantTo*) {
    static const FieldsOf<GrantTo> f;
    static const Table<GrantTo> table = {{f.required("group", &GrantTo::group, group_name()), f.required("kind", &GrantTo::kind, kind_text()), f.optional("name", &GrantTo::name, length(1, 253))}, {}, {}};
    return table;
}

const Table<ReferenceGrant>& table_of(const ReferenceGrant*) {
    static const FieldsOf<ReferenceGrant> f;
    static const Table<ReferenceGrant> table = {{f.required("from", &ReferenceGrant::from, items{1, 16}), f.required("to", &ReferenceGrant::to, items{1, 16})}, {}, {}};
    return table;
}

}  // namespace penstock::model
