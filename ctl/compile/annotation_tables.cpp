// SPDX-License-Identifier: Apache-2.0
// The rows of our annotations and options: name, values, effect, reader.
#include "ctl/check/suites.hpp"
#include "ctl/compile/annotation_values.hpp"
#include "ctl/compile/annotations.hpp"
#include "ctl/model/formats.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::compile {
namespace {

constexpr std::uint64_t kKi = 1024;
constexpr std::uint64_t kHour = 3'600'000;

// ---- readers: "" or what is wrong -------------------------------------------------------------------------------------
template <class Number>
std::string put(std::optional<std::uint64_t> read, std::uint64_t least, std::uint64_t most, const char* what, Number& out) {
    if (!read || *read < least || *read > most) {
        return std::string("is not ") + what;
    }
    out = static_cast<Number>(*read);
    return {};
}

template <auto Member, std::uint64_t Least, std::uint64_t Most>
std::string limit_count(const std::string& value, EdgeSettings& out) {
    static const std::string what = "a number from " + std::to_string(Least) + " to " + std::to_string(Most);
    return put(count_of(value), Least, Most, what.c_str(), out.limits.*Member);
}

template <auto Member, std::uint64_t Least, std::uint64_t Most>
std::string limit_bytes(const std::string& value, EdgeSettings& out) {
    static const std::string what = "a size like 64Ki, from " + std::to_string(Least) + " to " + std::to_string(Most) + " bytes";
    return put(bytes_of(value), Least, Most, what.c_str(), out.limits.*Member);
}

template <auto Member>
std::string limit_time(const std::string& value, EdgeSettings& out) {
    return put(model::duration_ms(value), 100, 24 * kHour, "a duration like 10s, from 100ms to 24h", out.limits.*Member);
}

template <class Target>
std::string word(const std::string& value, std::initializer_list<std::pair<std::string_view, Target>> words, Target& out) {
    std::string all;
    for (const auto& [name, target] : words) {
        if (value == name) {
            out = target;
            return {};
        }
        all += (all.empty() ? "" : ", ") + std::string(name);
    }
    return "is none of " + all;
}

std::string via_name(const std::string& value, std::string& out) {
    if (!model::is_token(value) || value.size() > 64) {
        return "is not a name that can stand in Via";
    }
    out = value == "off" ? "" : value;
    return {};
}

std::string sample(const std::string& value, std::uint32_t& out) {
    return put(per_million_of(value), 0, 1'000'000, "a percentage from 0% to 100%", out);
}

std::string whole_percent(const std::string& value, std::uint64_t most, std::uint32_t& out) {
    const auto number = value.ends_with('%') ? count_of(std::string_view(value).substr(0, value.size() - 1)) : std::nullopt;
    const std::string what = "a percentage from 0% to " + std::to_string(most) + "%, without a fraction";
    return put(number, 0, most, what.c_str(), out);
}

std::string tracing_service(const std::string& value, ClassSettings& out) {
    const std::size_t slash = value.find('/');
    const std::size_t colon = value.find(':', slash == std::string::npos ? 0 : slash);
    TracingSettings to;
    const std::string what = "a Service's port like tracing/collector:4318";
    if (slash == std::string::npos || colon == std::string::npos || !model::is_dns_label(value.substr(0, slash)) ||
        !model::is_dns_label(value.substr(slash + 1, colon - slash - 1))) {
        return "is not " + what;
    }
    to.ns = value.substr(0, slash);
    to.service = value.substr(slash + 1, colon - slash - 1);
    std::string fault = put(count_of(std::string_view(value).substr(colon + 1)), 1, 65535, what.c_str(), to.port);
    if (fault.empty()) {
        out.tracing_to = std::move(to);
    }
    return fault;
}

std::string tracing_path(const std::string& value, ClassSettings& out) {
    if (!value.starts_with('/') || !model::is_path_text(value)) {
        return "is not a path like /v1/traces";
    }
    out.tracing.path = value;
    return {};
}

std::string tracing_name(const std::string& value, ClassSettings& out) {
    if (value.empty() || value.size() > 255) {
        return "is not a name of 1 to 255 characters";
    }
    out.tracing.service_name = value;
    return {};
}

std::string log_format(const std::string& value, ClassSettings& out) {
    using Format = std::optional<fb::LogFormat>;
    return word<Format>(value, {{"off", std::nullopt}, {"json", fb::LogFormat::Json}, {"text", fb::LogFormat::Text}}, out.log_format);
}

std::string balance_header(const std::string& value, ServiceSettings& out) {
    if (!model::is_token(value)) {
        return "is not a header's name";
    }
    out.hash_header = lower(value);
    return {};
}

std::string tls_version(const std::string& value, std::uint16_t& out) {
    return word<std::uint16_t>(value, {{"1.2", 0x0303}, {"1.3", 0x0304}}, out);
}

std::string tls_ciphers(const std::string& value, TlsSettings& out) {
    auto suites = check::check_suites(list_of(value));
    if (!suites.ok()) {
        return suites.error().what;
    }
    out.tls.ciphers = std::move(suites->tls12);
    out.tls.ciphersuites = std::move(suites->tls13);
    return {};
}

std::string tls_groups(const std::string& value, TlsSettings& out) {
    std::vector<std::string> groups = list_of(value);
    for (const std::string& group : groups) {
        if (const Status status = check::check_group(group); !status.ok()) {
            return status.error().what;
        }
    }
    out.tls.groups = std::move(groups);
    return {};
}

std::string tls_alpn(const std::string& value, TlsSettings& out) {
    std::vector<std::string> alpn = list_of(value);
    for (const std::string& protocol : alpn) {
        if (protocol != "h2" && protocol != "http/1.1") {
            return "is not a list of h2 and http/1.1";
        }
    }
    out.alpn = std::move(alpn);
    return {};
}

std::string proxy_protocol(const std::string& value, bool any, fb::ProxyProtocol& out) {
    using enum fb::ProxyProtocol;
    return any ? word<fb::ProxyProtocol>(value, {{"off", None}, {"v1", V1}, {"v2", V2}, {"any", Any}}, out)
               : word<fb::ProxyProtocol>(value, {{"off", None}, {"v1", V1}, {"v2", V2}}, out);
}

}  // namespace

// ---- tables -----------------------------------------------------------------------------------------------------------

const std::vector<Annotation<EdgeSettings>>& gateway_annotations() {
    using L = fb::LimitsT;
    static const std::vector<Annotation<EdgeSettings>> table = {
        {"header-bytes-max", "size, 1Ki to 1Mi; 64Ki", "A request head over it is answered with 431.", limit_bytes<&L::header_bytes_max, kKi, kKi * kKi>},
        {"headers-max", "1 to 1000; 100", "Header fields of a request; over it 431.", limit_count<&L::headers_max, 1, 1000>},
        {"body-bytes-max", "size, 0 for none; 0", "A request body over it is answered with 413.", limit_bytes<&L::body_bytes_max, 0, 1ULL << 50U>},
        {"request-header-timeout", "duration; 10s", "How long a request head may take to arrive; then 408.", limit_time<&L::request_header_ms>},
        {"idle-timeout", "duration; 75s", "How long a client's connection is kept without a request.", limit_time<&L::idle_ms>},
        {"body-stall-timeout", "duration; 60s", "How long a body may stand still, either way.", limit_time<&L::body_stall_ms>},
        {"backend-connect-timeout", "duration; 5s", "How long a connection to a backend may take to come about.", limit_time<&L::backend_connect_ms>},
        {"udp-idle-timeout", "duration; 30s", "How long a UDP conversation is remembered by the worker.", limit_time<&L::udp_idle_ms>},
        {"requests-per-connection-max", "0 to 1000000000, 0 for none; 0", "Then the connection is closed after its answer.",
         limit_count<&L::requests_per_connection_max, 0, 1'000'000'000>},
        {"connections-per-source-max", "0 to 1000000, 0 for none; 0", "Of one client address, per worker thread; more are refused.",
         limit_count<&L::connections_per_source_max, 0, 1'000'000>},
        {"streams-max", "1 to 1000; 128", "Requests at a time on one HTTP/2 connection.", limit_count<&L::streams_max, 1, 1000>},
        {"retry-body-bytes-max", "size, 0 to 16Mi; 64Ki", "A request with a longer body is not sent twice.",
         limit_bytes<&L::retry_body_bytes_max, 0, 16 * kKi * kKi>},
        {"proxy-protocol", "off, v1, v2, any; off", "Clients' connections begin with a header of this version, which names the client.",
         [](const std::string& value, EdgeSettings& out) { return proxy_protocol(value, true, out.client_address.proxy_protocol); }},
        {"trusted-hops", "0 to 16; 0", "Entries of X-Forwarded-For, from the right, that proxies of yours have written.",
         [](const std::string& value, EdgeSettings& out) { return put(count_of(value), 0, 16, "a number from 0 to 16", out.client_address.trusted_hops); }},
        {"via", "name of 1 to 64 letters, digits and !#$%&'*+-.^_`~, off; off", "Requests to backends get the field Via, with this name.",
         [](const std::string& value, EdgeSettings& out) { return via_name(value, out.via); }},
    };
    return table;
}

const std::vector<Annotation<ClassSettings>>& class_annotations() {
    using L = fb::LimitsT;
    static const std::vector<Annotation<ClassSettings>> table = {
        {"connections-max", "1 to 10000000; 100000", "Clients' connections per worker thread.",
         [](const std::string& value, ClassSettings& out) { return limit_count<&L::connections_max, 1, 10'000'000>(value, out); }},
        {"drain-timeout", "duration; 30s", "How long connections may go on after their worker was told to end.",
         [](const std::string& value, ClassSettings& out) { return limit_time<&L::drain_ms>(value, out); }},
        {"backend-idle-timeout", "duration; 60s", "How long a connection to a backend is kept without a request.",
         [](const std::string& value, ClassSettings& out) { return limit_time<&L::backend_idle_ms>(value, out); }},
        {"backend-idle-connections-max", "0 to 10000; 1024", "Idle connections kept to one backend, per worker thread; beyond 64 for 5s at most.",
         [](const std::string& value, ClassSettings& out) { return limit_count<&L::pool_idle_per_backend_max, 0, 10'000>(value, out); }},
        {"retry-budget", "0% to 100%; 20%", "Retries among the requests to one Service port, per worker thread ...",
         [](const std::string& value, ClassSettings& out) { return whole_percent(value, 100, out.limits.retry_budget_percent); }},
        {"retry-budget-min", "0 to 100000; 10", "... beyond so many retries a second.",
         [](const std::string& value, ClassSettings& out) { return limit_count<&L::retry_budget_min, 0, 100'000>(value, out); }},
        {"access-log", "off, json, text; off", "One line a request, to `penstockd --access-log` or to standard output.", log_format},
        {"access-log-sample", "0% to 100%; 100%", "Of requests without an error; those with one are always written.",
         [](const std::string& value, ClassSettings& out) { return sample(value, out.log.sample_per_million); }},
        {"access-log-query", "on, off; off", "Whether queries are written, which often hold secrets.",
         [](const std::string& value, ClassSettings& out) { return word<bool>(value, {{"on", true}, {"off", false}}, out.log.query); }},
        {"tracing-service", "namespace/name:port", "Spans go to this Service by OTLP over HTTP.", tracing_service},
        {"tracing-path", "path; /v1/traces", "Where the Service takes them.", tracing_path},
        {"tracing-sample", "0% to 100%; 1%", "Of requests that no traceparent has decided.",
         [](const std::string& value, ClassSettings& out) { return sample(value, out.tracing.sample_per_million); }},
        {"tracing-name", "text; penstock", "The service.name of the spans.", tracing_name},
    };
    return table;
}

const std::vector<Annotation<ServiceSettings>>& service_annotations() {
    static const std::vector<Annotation<ServiceSettings>> table = {
        {"balance", "round-robin, least-request, consistent; round-robin", "How an endpoint is chosen: in turn, the less busy of two, or by a hash.",
         [](const std::string& value, ServiceSettings& out) {
             return word<fb::Balance>(value, {{"round-robin", fb::Balance::RoundRobin}, {"least-request", fb::Balance::LeastRequest}, {"consistent", fb::Balance::Consistent}}, out.balance);
         }},
        {"balance-header", "a header's name", "What `consistent` hashes; without it, the client's address.", balance_header},
        {"connections-max", "0 to 1000000, 0 for none; 0", "Connections to one endpoint, per worker thread.",
         [](const std::string& value, ServiceSettings& out) { return put(count_of(value), 0, 1'000'000, "a number from 0 to 1000000", out.connections_max); }},
        {"proxy-protocol", "off, v1, v2; off", "Connections to it begin with a header of this version, which names the client.",
         [](const std::string& value, ServiceSettings& out) { return proxy_protocol(value, false, out.proxy_protocol); }},
        {"eject-failures", "0 to 1000, 0 for never; 5", "Failures in a row after which an endpoint is left out for a while.",
         [](const std::string& value, ServiceSettings& out) { return put(count_of(value), 0, 1000, "a number from 0 to 1000", out.health.failures); }},
        {"eject-time", "duration; 10s", "How long, the first time; each further time doubles it, up to ten times.",
         [](const std::string& value, ServiceSettings& out) { return put(model::duration_ms(value), 100, kHour, "a duration like 10s, from 100ms to 1h", out.health.eject_ms); }},
        {"eject-max", "0% to 100%; 50%", "The share of the endpoints that may be left out at a time.",
         [](const std::string& value, ServiceSettings& out) { return whole_percent(value, 100, out.health.eject_percent_max); }},
    };
    return table;
}

const std::vector<Annotation<TlsSettings>>& tls_options() {
    static const std::vector<Annotation<TlsSettings>> table = {
        {"tls-min-version", "1.2, 1.3; 1.2", "The lowest version that is spoken.", [](const std::string& value, TlsSettings& out) { return tls_version(value, out.tls.version_min); }},
        {"tls-max-version", "1.2, 1.3; 1.3", "The highest version that is spoken.", [](const std::string& value, TlsSettings& out) { return tls_version(value, out.tls.version_max); }},
        {"tls-ciphers", "names between commas", "Cipher suites of both versions in order of preference, by OpenSSL's or IANA's names. A version of which none is named keeps ours.", tls_ciphers},
        {"tls-groups", "names between commas", "Key exchange groups in order of preference: X25519, P-256, X25519MLKEM768 where OpenSSL has it.", tls_groups},
        {"tls-tickets", "on, off; on", "Whether sessions can be resumed by tickets.",
         [](const std::string& value, TlsSettings& out) { return word<bool>(value, {{"on", true}, {"off", false}}, out.tls.tickets); }},
        {"tls-alpn", "h2, http/1.1 between commas", "The protocols of an HTTPS listener in order of preference. A client that offers only others is refused.", tls_alpn},
    };
    return table;
}

}  // namespace penstock::compile
