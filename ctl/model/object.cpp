// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/object.hpp"

#include <algorithm>
#include <array>

#include "userspace/base/ascii.hpp"
#include "userspace/base/assert.hpp"

namespace penstock::model {
namespace {

const std::array<KindInfo, kKinds>& kinds() {
    static const std::array<KindInfo, kKinds> all = {{
        {Kind::gateway_class, "GatewayClass", kGatewayGroup, "v1", false, "gatewayclasses", {"gc"}},
        {Kind::gateway, "Gateway", kGatewayGroup, "v1", true, "gateways", {"gtw", "gw"}},
        {Kind::listener_set, "ListenerSet", kGatewayGroup, "v1", true, "listenersets", {"lset"}},
        {Kind::http_route, "HTTPRoute", kGatewayGroup, "v1", true, "httproutes", {}},
        {Kind::grpc_route, "GRPCRoute", kGatewayGroup, "v1", true, "grpcroutes", {}},
        {Kind::tls_route, "TLSRoute", kGatewayGroup, "v1", true, "tlsroutes", {}},
        {Kind::tcp_route, "TCPRoute", kGatewayGroup, "v1", true, "tcproutes", {}},
        {Kind::udp_route, "UDPRoute", kGatewayGroup, "v1", true, "udproutes", {}},
        {Kind::reference_grant, "ReferenceGrant", kGatewayGroup, "v1", true, "referencegrants", {"refgrant"}},
        {Kind::backend_tls_policy, "BackendTLSPolicy", kGatewayGroup, "v1", true, "backendtlspolicies", {"btlspolicy"}},
        {Kind::service, "Service", "", "v1", true, "services", {"svc"}},
        {Kind::endpoint_slice, "EndpointSlice", "discovery.k8s.io", "v1", true, "endpointslices", {}},
        {Kind::secret, "Secret", "", "v1", true, "secrets", {}},
        {Kind::config_map, "ConfigMap", "", "v1", true, "configmaps", {"cm"}},
        {Kind::namespace_, "Namespace", "", "v1", false, "namespaces", {"ns"}},
    }};
    return all;
}

bool same_word(std::string_view one, std::string_view other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](char a, char b) { return lower(a) == lower(b); });
}

}  // namespace

const KindInfo& info(Kind kind) {
    const KindInfo& found = kinds().at(static_cast<std::size_t>(kind));
    PST_ASSERT(found.kind == kind);
    return found;
}

std::string_view kind_name(Kind kind) { return info(kind).name; }

std::optional<Kind> kind_of_word(std::string_view word) {
    for (const KindInfo& kind : kinds()) {
        const bool is_short = std::any_of(kind.short_names.begin(), kind.short_names.end(), [&](std::string_view name) { return same_word(name, word); });
        if (is_short || same_word(kind.name, word) || same_word(kind.plural, word)) {
            return kind.kind;
        }
    }
    return std::nullopt;
}

std::string ObjectKey::text() const { return std::string(kind_name(kind)) + " " + (ns.empty() ? name : ns + "/" + name); }

const FrontendValidation* GatewayTls::frontend_of(std::int32_t port) const {
    for (const FrontendPort& special : frontend_ports) {
        if (special.port == port) {
            return special.tls.validation ? &*special.tls.validation : nullptr;
        }
    }
    return frontend_default.validation ? &*frontend_default.validation : nullptr;
}

}  // namespace penstock::model
