// SPDX-License-Identifier: Apache-2.0
// What has no place in the Gateway API: our annotations on GatewayClasses, Gateways and Services, and our options of listeners' TLS. One
// table per kind; docs/reference/extensions.md has the same rows, and a test compares them.
// A value that is none leaves the default in force, and a name of ours that is none has no effect: both are told, and nothing else of the
// object suffers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/compile/conditions.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/model/objects.hpp"

namespace penstock::compile {

inline constexpr std::string_view kAnnotationPrefix = "penstock.dev/";

template <class Settings>
struct Annotation {
    std::string_view name;                                         // behind the prefix
    std::string_view values;                                       // what may stand there
    std::string_view effect;
    std::string (*read)(const std::string& value, Settings& out);  // "" or what is wrong with the value
};

// Of a GatewayClass, and of a Gateway on top of those of its class.
struct EdgeSettings {
    fb::LimitsT limits;
    fb::ClientAddressT client_address;
    std::string via;  // "": none
};

// Spans go to a port of a Service.
struct TracingSettings {
    std::string ns;
    std::string service;
    std::uint16_t port = 0;
};

// Of a GatewayClass: of the whole edge.
struct ClassSettings : EdgeSettings {
    std::optional<fb::LogFormat> log_format;  // nothing: no access log
    fb::AccessLogT log;
    std::optional<TracingSettings> tracing_to;
    fb::TracingT tracing;
};

struct ServiceSettings {
    fb::Balance balance = fb::Balance::RoundRobin;
    std::string hash_header;
    std::uint32_t connections_max = 0;
    fb::ProxyProtocol proxy_protocol = fb::ProxyProtocol::None;
    fb::PassiveHealthT health;
};

// Of a listener's spec.tls.options.
struct TlsSettings {
    fb::TlsOptionsT tls;
    std::vector<std::string> alpn;  // empty: ours
};

[[nodiscard]] const std::vector<Annotation<EdgeSettings>>& gateway_annotations();
[[nodiscard]] const std::vector<Annotation<ClassSettings>>& class_annotations();  // beside those of Gateways
[[nodiscard]] const std::vector<Annotation<ServiceSettings>>& service_annotations();
[[nodiscard]] const std::vector<Annotation<TlsSettings>>& tls_options();

// What was wrong with the annotations of one object, or of several.
struct AnnotationFaults {
    std::vector<std::string> bad_values;  // "penstock.dev/balance: ..."
    std::vector<std::string> unknown;

    [[nodiscard]] bool empty() const { return bad_values.empty() && unknown.empty(); }
    [[nodiscard]] std::string text() const;
    // For the status of the object; nothing if all is well.
    [[nodiscard]] std::optional<Condition> condition() const;
};

[[nodiscard]] AnnotationFaults read_gateway(const model::Labels& annotations, EdgeSettings& out);
[[nodiscard]] AnnotationFaults read_class(const model::Labels& annotations, ClassSettings& out);
[[nodiscard]] AnnotationFaults read_service(const model::Labels& annotations, ServiceSettings& out);
[[nodiscard]] AnnotationFaults read_tls_options(const model::Labels& options, TlsSettings& out);
// Which of a GatewayClass's annotations hold for the whole edge, and so only from one class.
[[nodiscard]] std::vector<std::string> edge_names(const model::Labels& annotations);

// Of objects for which we have none.
[[nodiscard]] AnnotationFaults read_none(const model::Labels& annotations);

}  // namespace penstock::compile
