// SPDX-License-Identifier: Apache-2.0
// Filters of HTTPRoutes, GRPCRoutes and listeners.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ctl/model/boxed.hpp"
#include "ctl/model/objects.hpp"

namespace penstock::model {

struct HttpHeader {
    std::string name;  // as written; compare without case
    std::string value;
};

struct HeaderFilter {
    std::vector<HttpHeader> set;
    std::vector<HttpHeader> add;
    std::vector<std::string> remove;
};

struct PathModifier {
    std::string type;  // ReplaceFullPath, ReplacePrefixMatch
    std::string replace_full_path;
    std::string replace_prefix_match;
};

struct RedirectFilter {
    std::optional<std::string> scheme;    // http, https
    std::optional<std::string> hostname;
    std::optional<PathModifier> path;
    std::optional<std::int32_t> port;
    std::int32_t status_code = 302;       // 301, 302, 303, 307, 308
};

struct RewriteFilter {
    std::optional<std::string> hostname;
    std::optional<PathModifier> path;
};

struct Fraction {
    std::int32_t numerator = 0;
    std::int32_t denominator = 100;
};

struct MirrorFilter {
    BackendObjectRef backend_ref;
    std::optional<std::int32_t> percent;  // not both; neither: all requests
    std::optional<Fraction> fraction;
};

struct CorsFilter {
    std::vector<std::string> allow_origins;
    bool allow_credentials = false;
    std::vector<std::string> allow_methods;
    std::vector<std::string> allow_headers;
    std::vector<std::string> expose_headers;
    std::int32_t max_age_s = 5;
};

// experimental
struct ExternalAuthFilter {
    std::string protocol;  // GRPC, HTTP
    BackendObjectRef backend_ref;
    std::vector<std::string> grpc_allowed_headers;
    std::string http_path;
    std::vector<std::string> http_allowed_headers;
    std::vector<std::string> http_allowed_response_headers;
    std::int32_t forward_body_bytes_max = 0;  // 0: no body
};

// Of an HTTPRoute or GRPCRoute. Exactly the member that `type` names is set.
struct HttpFilter {
    std::string type;
    Boxed<HeaderFilter> request_header_modifier;
    Boxed<HeaderFilter> response_header_modifier;
    Boxed<MirrorFilter> request_mirror;
    Boxed<RedirectFilter> request_redirect;
    Boxed<RewriteFilter> url_rewrite;
    Boxed<CorsFilter> cors;
    Boxed<ExternalAuthFilter> external_auth;
    Boxed<ObjectRef> extension_ref;
};

}  // namespace penstock::model
