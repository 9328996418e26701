// SPDX-License-Identifier: Apache-2.0
// Object: one resource, decoded. Shared and immutable; who must change one (a source that adds uid and generation) makes a copy.
// Invariant: `body` holds the struct of `key.kind`, and `raw` shows no secret.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ctl/model/objects_core.hpp"
#include "ctl/model/objects_gateway.hpp"
#include "ctl/model/objects_route.hpp"
#include "ctl/model/value.hpp"

namespace penstock::model {

// In the order of Body.
enum class Kind : std::uint8_t {
    gateway_class,
    gateway,
    listener_set,
    http_route,
    grpc_route,
    tls_route,
    tcp_route,
    udp_route,
    reference_grant,
    backend_tls_policy,
    service,
    endpoint_slice,
    secret,
    config_map,
    namespace_,
};
inline constexpr std::size_t kKinds = 15;

using Body = std::variant<GatewayClass, Gateway, ListenerSet, HttpRoute, GrpcRoute, TlsRoute, TcpRoute, UdpRoute, ReferenceGrant,
                          BackendTlsPolicy, Service, EndpointSlice, Secret, ConfigMap, Namespace>;
static_assert(std::variant_size_v<Body> == kKinds);

struct KindInfo {
    Kind kind;
    std::string_view name;    // "HTTPRoute"
    std::string_view group;   // "" for core
    std::string_view version; // the newest that is served: objects are printed in it
    bool namespaced;
    std::string_view plural;  // "httproutes"
    std::vector<std::string_view> short_names;
};
[[nodiscard]] const KindInfo& info(Kind kind);
[[nodiscard]] std::string_view kind_name(Kind kind);
// By kind name, plural or short name, without case: "HTTPRoute", "httproutes", "gtw".
[[nodiscard]] std::optional<Kind> kind_of_word(std::string_view word);

struct ObjectKey {
    Kind kind = Kind::gateway_class;
    std::string ns;  // "" for cluster-wide kinds
    std::string name;

    auto operator<=>(const ObjectKey&) const = default;
    [[nodiscard]] std::string text() const;  // "HTTPRoute shop/cart", "GatewayClass penstock"
};

struct Origin {
    std::string file;  // as the source named it; "" if there is none
    int line = 0;
};

// An object as it was written, for printing and comparing: JSON in little space, secrets redacted, without its status.
struct Written {
    std::string metadata;  // "" if there is none
    std::string rest;

    bool operator==(const Written&) const = default;
};

struct Object {
    ObjectKey key;
    Metadata meta;
    Body body;
    Written raw;
    Origin origin;
};
using ObjectPtr = std::shared_ptr<const Object>;

inline constexpr const char* kRedacted = "<redacted>";

}  // namespace penstock::model
