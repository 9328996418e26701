// SPDX-License-Identifier: Apache-2.0
// HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, UDPRoute of the Gateway API v1.7.0, experimental fields included.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/model/objects.hpp"
#include "ctl/model/objects_filter.hpp"

namespace penstock::model {

struct HttpBackendRef : BackendRef {
    std::vector<HttpFilter> filters;
};

struct HttpPathMatch {
    std::string type = "PathPrefix";  // Exact, PathPrefix, RegularExpression
    std::string value = "/";
};

// Of a header or a query parameter.
struct ValueMatch {
    std::string type = "Exact";  // Exact, RegularExpression
    std::string name;
    std::string value;
};

struct HttpMatch {
    HttpPathMatch path;
    std::vector<ValueMatch> headers;
    std::vector<ValueMatch> query_params;
    std::optional<std::string> method;
};

// Durations of the API (GEP-2257) in milliseconds, at most 2^32-1; 0 switches off.
struct HttpTimeouts {
    std::optional<std::uint32_t> request_ms;
    std::optional<std::uint32_t> backend_request_ms;
};

struct HttpRetry {
    std::vector<std::int32_t> codes;  // 400 to 599
    std::int32_t attempts = 1;        // 0: off
    std::optional<std::uint32_t> backoff_ms;
};

struct SessionCookie {
    std::string name;                       // "": one of its own for each rule
    std::string lifetime_type = "Session";  // Session, Permanent
    std::string path = "/";
};

// experimental; the deprecated sessionName and cookieConfig are read into the name of what `type` says and into cookie.
struct SessionPersistence {
    std::string type = "Cookie";  // Cookie, Header
    std::optional<std::uint32_t> absolute_timeout_ms;
    std::optional<std::uint32_t> idle_timeout_ms;
    std::optional<SessionCookie> cookie;
    std::string header_name;      // not empty with Header
    std::string session_name;     // deprecated: the name where cookie or header has none
};

struct HttpRule {
    std::optional<std::string> name;
    std::vector<HttpMatch> matches;  // empty: everything
    std::vector<HttpFilter> filters;
    std::vector<HttpBackendRef> backend_refs;
    HttpTimeouts timeouts;
    std::optional<HttpRetry> retry;
    std::optional<SessionPersistence> session_persistence;
};

// What all routes have.
struct RouteParents {
    std::vector<ParentRef> parent_refs;
    std::string use_default_gateways = "None";  // experimental: All, None
};

struct HttpRoute : RouteParents {
    std::vector<std::string> hostnames;
    std::vector<HttpRule> rules;  // an absent list is one rule without matches, as the CRD's default
};

struct GrpcMethodMatch {
    std::string type = "Exact";  // Exact, RegularExpression
    std::optional<std::string> service;
    std::optional<std::string> method;
};

struct GrpcMatch {
    std::optional<GrpcMethodMatch> method;
    std::vector<ValueMatch> headers;
};

struct GrpcRule {
    std::optional<std::string> name;
    std::vector<GrpcMatch> matches;  // empty: everything
    std::vector<HttpFilter> filters;
    std::vector<HttpBackendRef> backend_refs;
    std::optional<SessionPersistence> session_persistence;
};

struct GrpcRoute : RouteParents {
    std::vector<std::string> hostnames;
    std::vector<GrpcRule> rules;
};

// Of TLSRoute, TCPRoute, UDPRoute.
struct L4Rule {
    std::optional<std::string> name;
    std::vector<BackendRef> backend_refs;
};

struct TlsRoute : RouteParents {
    std::vector<std::string> hostnames;
    std::vector<L4Rule> rules;
};

struct TcpRoute : RouteParents {
    std::vector<L4Rule> rules;
};

struct UdpRoute : RouteParents {
    std::vector<L4Rule> rules;
};

}  // namespace penstock::model
