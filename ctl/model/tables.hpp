// SPDX-License-Identifier: Apache-2.0
// The decoding tables of the structs, by kind of struct. Internal to the model: a table is found by table_of(const T*).
#pragma once

#include "ctl/model/decode_fields.hpp"
#include "ctl/model/object.hpp"

namespace penstock::model {

#define PST_TABLES(X)                                                                                                       \
    X(ParentRef) X(SecretRef) X(ObjectRef) X(BackendObjectRef) X(BackendRef) X(LabelRequirement) X(LabelSelector)            \
    X(HttpHeader) X(HeaderFilter) X(PathModifier) X(RedirectFilter) X(RewriteFilter) X(Fraction) X(MirrorFilter)             \
    X(CorsFilter) X(ExternalAuthFilter) X(HttpFilter)                                                                        \
    X(GatewayClass) X(NamespacesRule) X(RouteKind) X(AllowedRoutes) X(ListenerTls) X(ListenerFilter) X(Listener)             \
    X(GatewayAddress) X(GatewayInfrastructure) X(FrontendValidation) X(FrontendTls) X(FrontendPort) X(GatewayTls) X(Gateway)  \
    X(ParentGatewayRef) X(ListenerSet) X(PolicyTarget) X(SubjectAltName) X(BackendTlsValidation) X(BackendTlsPolicy)         \
    X(GrantFrom) X(GrantTo) X(ReferenceGrant)                                                                                \
    X(HttpBackendRef) X(HttpPathMatch) X(ValueMatch) X(HttpMatch) X(HttpTimeouts) X(HttpRetry) X(SessionCookie)              \
    X(SessionPersistence) X(HttpRule) X(HttpRoute) X(GrpcMethodMatch) X(GrpcMatch) X(GrpcRule) X(GrpcRoute)                  \
    X(L4Rule) X(TlsRoute) X(TcpRoute) X(UdpRoute)                                                                            \
    X(ServicePort) X(Service) X(EndpointPort) X(EndpointConditions) X(SliceEndpoint) X(EndpointSlice)

#define PST_X(Struct) const Table<Struct>& table_of(const Struct*);
PST_TABLES(PST_X)
#undef PST_X

// Checks that several tables use.
inline StringCheck object_name() { return matches(is_dns_subdomain, "is not a name: lower-case letters, digits, '-' and '.', at most 253"); }
inline StringCheck namespace_name() { return matches(is_dns_label, "is not a namespace name"); }
inline StringCheck section_name() { return matches(is_dns_subdomain, "is not a section name"); }
inline StringCheck hostname() { return matches(is_hostname, "is not a host name"); }
inline StringCheck group_name() { return matches(is_group, "is not an API group"); }
inline StringCheck kind_text() { return matches(is_kind, "is not a kind"); }

}  // namespace penstock::model
