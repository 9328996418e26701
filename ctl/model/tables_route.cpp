// SPDX-License-Identifier: Apache-2.0
// HTTPRoute, GRPCRoute, TLSRoute, TCPRoute, UDPRoute.
#include <set>

#include "ctl/model/tables.hpp"

namespace penstock::model {

namespace {

template <class Route>
void check_parents(const At& at, const Route& route) {
    auto text = [](const ParentRef& ref) {
        return ref.group.value_or(kGatewayGroup) + "/" + ref.kind.value_or("Gateway") + "/" + ref.ns.value_or("") + "/" + ref.name + "/" + ref.section_name.value_or("") + "/" +
               std::to_string(ref.port.value_or(0));
    };
    check_unique(at, "parentRefs", route.parent_refs, "parent, sectionName and port", text);
}

template <class Route>
std::vector<Field<Route>> route_fields(std::vector<Field<Route>> more) {
    static const FieldsOf<Route> f;
    std::vector<Field<Route>> fields = {f.optional("parentRefs", &Route::parent_refs, items{0, 32}),
                                        f.optional("useDefaultGateways", &Route::use_default_gateways, one_of({"All", "None"}))};
    std::move(more.begin(), more.end(), std::back_inserter(fields));
    return fields;
}

bool repeated(const std::vector<HttpFilter>& filters, const char* type) {
    return std::count_if(filters.begin(), filters.end(), [&](const HttpFilter& filter) { return filter.type == type; }) > 1;
}

void check_filters(const At& at, const std::vector<HttpFilter>& filters) {
    bool redirects = false;
    bool rewrites = false;
    for (const HttpFilter& filter : filters) {
        redirects |= filter.type == "RequestRedirect";
        rewrites |= filter.type == "URLRewrite";
    }
    const At place = at.member("filters");
    if (redirects && rewrites) {
        place.error("RequestRedirect and URLRewrite exclude each other");
    }
    for (const char* type : {"RequestHeaderModifier", "ResponseHeaderModifier", "RequestRedirect", "URLRewrite", "CORS"}) {
        if (repeated(filters, type)) {
            place.error(std::string(type) + " may stand only once");
        }
    }
}

// What ReplacePrefixMatch needs: exactly one match, and that one a prefix.
void check_prefix_edit(const At& at, const HttpRule& rule) {
    auto edits_prefix = [](const std::optional<PathModifier>& path) { return path && path->type == "ReplacePrefixMatch"; };
    std::vector<HttpFilter> filters = rule.filters;
    for (const HttpBackendRef& ref : rule.backend_refs) {
        filters.insert(filters.end(), ref.filters.begin(), ref.filters.end());
    }
    for (const HttpFilter& filter : filters) {
        const bool edits = (filter.request_redirect && edits_prefix(filter.request_redirect->path)) || (filter.url_rewrite && edits_prefix(filter.url_rewrite->path));
        const bool one_prefix = rule.matches.empty() || (rule.matches.size() == 1 && rule.matches[0].path.type == "PathPrefix");
        if (edits && !one_prefix) {
            at.member("filters").error("ReplacePrefixMatch needs exactly one match, with a path of type PathPrefix");
        }
    }
}

void check_http_rule(const At& at, const HttpRule& rule) {
    check_filters(at, rule.filters);
    check_prefix_edit(at, rule);
    const bool redirects = std::any_of(rule.filters.begin(), rule.filters.end(), [](const HttpFilter& filter) { return filter.type == "RequestRedirect"; });
    if (redirects && !rule.backend_refs.empty()) {
        at.member("backendRefs").error("must be empty with a RequestRedirect");
    }
    const HttpTimeouts& timeouts = rule.timeouts;
    if (timeouts.request_ms.value_or(0) != 0 && timeouts.backend_request_ms && *timeouts.backend_request_ms > *timeouts.request_ms) {
        at.member("timeouts").error("backendRequest is longer than request");
    }
}

void check_grpc_filters(const At& at, const std::vector<HttpFilter>& filters) {
    check_filters(at, filters);
    for (const HttpFilter& filter : filters) {
        const bool known = filter.type.ends_with("HeaderModifier") || filter.type == "RequestMirror" || filter.type == "ExtensionRef";
        if (!known) {
            at.member("filters").error("a GRPCRoute has no filter of type " + filter.type);
        }
    }
}

void check_grpc_rule(const At& at, const GrpcRule& rule) {
    check_grpc_filters(at, rule.filters);
    for (const HttpBackendRef& ref : rule.backend_refs) {
        check_grpc_filters(at.member("backendRefs"), ref.filters);
    }
}

template <class Route>
void check_rule_names(const At& at, const Route& route) {
    std::set<std::string> names;
    for (const auto& rule : route.rules) {
        if (rule.name && !names.insert(*rule.name).second) {
            at.member("rules").error("two rules have the name " + *rule.name);
        }
    }
}

// A cookie's name and a header's are tokens both; "" is no name.
std::string session_name(const std::string& name) { return name.empty() || is_token(name) ? "" : quoted(name) + " is not a name of a cookie or header"; }

void check_persistence(const At& at, const SessionPersistence& persistence) {
    if (persistence.type == "Cookie" && !persistence.header_name.empty()) {
        at.member("header").error("must not be set with type Cookie");
    }
    if (persistence.cookie && persistence.cookie->lifetime_type == "Permanent" && !persistence.absolute_timeout_ms) {
        at.member("absoluteTimeout").error("must be set with a cookie of lifetimeType Permanent");
    }
}

bool has_bad_path(const std::string& path) {
    for (const char* bad : {"//", "/./", "/../", "%2f", "%2F", "#"}) {
        if (path.find(bad) != std::string::npos) {
            return true;
        }
    }
    return path.ends_with("/..") || path.ends_with("/.");
}

void check_path(const At& at, const HttpPathMatch& path) {
    const At place = at.member("value");
    if (path.type == "RegularExpression") {
        return;
    }
    if (!path.value.starts_with('/')) {
        place.error("must start with '/'");
    } else if (has_bad_path(path.value) || !is_path_text(path.value)) {
        place.error(quoted(path.value) + " is not a path: it must not have '//', '/./', '/../', '%2f', '#' or characters that a URL's path cannot have");
    }
}

}  // namespace

const Table<HttpBackendRef>& table_of(const HttpBackendRef*) {
    static const FieldsOf<HttpBackendRef> f;
    static const Table<HttpBackendRef> table = {
        with_base<HttpBackendRef>(table_of(static_cast<const BackendRef*>(nullptr)), {f.optional("filters", &HttpBackendRef::filters, items{0, 16})}),
        {[](const At& at, const HttpBackendRef& ref) {
            if (ref.group.empty() && ref.kind == "Service" && !ref.port) {
                at.member("port").error("is missing: a Service needs one");
            }
            check_filters(at, ref.filters);
        }}, {}};
    return table;
}

const Table<HttpPathMatch>& table_of(const HttpPathMatch*) {
    static const FieldsOf<HttpPathMatch> f;
    static const Table<HttpPathMatch> table = {{f.optional("type", &HttpPathMatch::type, one_of({"Exact", "PathPrefix", "RegularExpression"})),
                                                f.optional("value", &HttpPathMatch::value, length(0, 1024))},
                                               {check_path}, {}};
    return table;
}

const Table<ValueMatch>& table_of(const ValueMatch*) {
    static const FieldsOf<ValueMatch> f;
    static const Table<ValueMatch> table = {{f.optional("type", &ValueMatch::type, one_of({"Exact", "RegularExpression"})), f.required("name", &ValueMatch::name, matches(is_token, "is not a name: a token of RFC 9110")),
                                             f.required("value", &ValueMatch::value, length(1, 4096))},
                                            {}, {}};
    return table;
}

const Table<HttpMatch>& table_of(const HttpMatch*) {
    static const FieldsOf<HttpMatch> f;
    static const Table<HttpMatch> table = {
        {f.optional("path", &HttpMatch::path), f.optional("headers", &HttpMatch::headers, items{0, 16}), f.optional("queryParams", &HttpMatch::query_params, items{0, 16}),
         f.optional("method", &HttpMatch::method, one_of({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}))},
        {[](const At& at, const HttpMatch& match) {
            auto name = [](const ValueMatch& one) { return one.name; };
            check_unique(at, "headers", match.headers, "name", name);
            check_unique(at, "queryParams", match.query_params, "name", name);
        }}, {}};
    return table;
}

const Table<HttpTimeouts>& table_of(const HttpTimeouts*) {
    static const FieldsOf<HttpTimeouts> f;
    static const Table<HttpTimeouts> table = {{f.optional("request", &HttpTimeouts::request_ms), f.optional("backendRequest", &HttpTimeouts::backend_request_ms)}, {}, {}};
    return table;
}

const Table<HttpRetry>& table_of(const HttpRetry*) {
    static const FieldsOf<HttpRetry> f;
    static const Table<HttpRetry> table = {{f.optional("codes", &HttpRetry::codes, each(range(400, 599, "is no status from 400 to 599"))),
                                            f.optional("attempts", &HttpRetry::attempts, range(0, 2147483647, "is negative")), f.optional("backoff", &HttpRetry::backoff_ms)},
                                           {[](const At& at, const HttpRetry& retry) {
                                               check_unique(at, "codes", retry.codes, "value", [](std::int32_t code) { return code; });
                                           }}, {}};
    return table;
}

const Table<SessionCookie>& table_of(const SessionCookie*) {
    static const FieldsOf<SessionCookie> f;
    static const Table<SessionCookie> table = {{f.optional("name", &SessionCookie::name, session_name),
                                                f.optional("lifetimeType", &SessionCookie::lifetime_type, one_of({"Session", "Permanent"})),
                                                f.optional("path", &SessionCookie::path, length(0, 1024))},
                                               {}, {}};
    return table;
}

const Table<SessionPersistence>& table_of(const SessionPersistence*) {
    static const FieldsOf<SessionPersistence> f;
    static const Table<SessionPersistence> table = {
        {f.optional("type", &SessionPersistence::type, one_of({"Cookie", "Header"})), f.optional("absoluteTimeout", &SessionPersistence::absolute_timeout_ms),
         f.optional("idleTimeout", &SessionPersistence::idle_timeout_ms), f.optional("cookie", &SessionPersistence::cookie), f.optional("cookieConfig", &SessionPersistence::cookie),
         f.optional("sessionName", &SessionPersistence::session_name),
         f.custom("header", false, [](const At& at, const Value& value, SessionPersistence& out) {
             const Value* name = value.find("name");
             const At place = at.member("name", value.line());
             if (name == nullptr) {
                 place.cannot_read("is missing");
             } else if (read_value(place, *name, out.header_name)) {
                 run_check(place, *name, out.header_name, session_name);
             }
         })},
        {check_persistence}, {}};
    return table;
}

const Table<HttpRule>& table_of(const HttpRule*) {
    static const FieldsOf<HttpRule> f;
    static const Table<HttpRule> table = {
        {f.optional("name", &HttpRule::name, section_name()), f.optional("matches", &HttpRule::matches, items{0, 64}), f.optional("filters", &HttpRule::filters, items{0, 16}),
         f.optional("backendRefs", &HttpRule::backend_refs, items{0, 16}), f.optional("timeouts", &HttpRule::timeouts), f.optional("retry", &HttpRule::retry),
         f.optional("sessionPersistence", &HttpRule::session_persistence)},
        {check_http_rule}, {}};
    return table;
}

const Table<HttpRoute>& table_of(const HttpRoute*) {
    static const FieldsOf<HttpRoute> f;
    static const Table<HttpRoute> table = {
        route_fields<HttpRoute>({f.optional("hostnames", &HttpRoute::hostnames, items{0, 16}, each(hostname())), f.optional("rules", &HttpRoute::rules, items{0, 16})}),
        {check_parents<HttpRoute>, check_rule_names<HttpRoute>}, {}};
    return table;
}

const Table<GrpcMethodMatch>& table_of(const GrpcMethodMatch*) {
    static const FieldsOf<GrpcMethodMatch> f;
    static const Table<GrpcMethodMatch> table = {{f.optional("type", &GrpcMethodMatch::type, one_of({"Exact", "RegularExpression"})), f.optional("service", &GrpcMethodMatch::service, length(0, 1024)),
                                                  f.optional("method", &GrpcMethodMatch::method, length(0, 1024))},
                                                 {[](const At& at, const GrpcMethodMatch& match) {
                                                     if (!match.service && !match.method) {
                                                         at.error("service or method must be set");
                                                     }
                                                 }}, {}};
    return table;
}

const Table<GrpcMatch>& table_of(const GrpcMatch*) {
    static const FieldsOf<GrpcMatch> f;
    static const Table<GrpcMatch> table = {{f.optional("method", &GrpcMatch::method), f.optional("headers", &GrpcMatch::headers, items{0, 16})}, {}, {}};
    return table;
}

const Table<GrpcRule>& table_of(const GrpcRule*) {
    static const FieldsOf<GrpcRule> f;
    static const Table<GrpcRule> table = {{f.optional("name", &GrpcRule::name, section_name()), f.optional("matches", &GrpcRule::matches, items{0, 64}), f.optional("filters", &GrpcRule::filters, items{0, 16}),
                                           f.optional("backendRefs", &GrpcRule::backend_refs, items{0, 16}), f.optional("sessionPersistence", &GrpcRule::session_persistence)},
                                          {check_grpc_rule}, {}};
    return table;
}

const Table<GrpcRoute>& table_of(const GrpcRoute*) {
    static const FieldsOf<GrpcRoute> f;
    static const Table<GrpcRoute> table = {
        route_fields<GrpcRoute>({f.optional("hostnames", &GrpcRoute::hostnames, items{0, 16}, each(hostname())), f.optional("rules", &GrpcRoute::rules, items{0, 16})}), {check_parents<GrpcRoute>, check_rule_names<GrpcRoute>}, {}};
    return table;
}

const Table<L4Rule>& table_of(const L4Rule*) {
    static const FieldsOf<L4Rule> f;
    static const Table<L4Rule> table = {{f.optional("name", &L4Rule::name, section_name()), f.required("backendRefs", &L4Rule::backend_refs, items{1, 16})}, {}, {}};
    return table;
}

const Table<TlsRoute>& table_of(const TlsRoute*) {
    static const FieldsOf<TlsRoute> f;
    static const Table<TlsRoute> table = {
        route_fields<TlsRoute>({f.required("hostnames", &TlsRoute::hostnames, items{1, 16}, each(hostname())), f.required("rules", &TlsRoute::rules, items{1, 16})}), {check_parents<TlsRoute>}, {}};
    return table;
}

const Table<TcpRoute>& table_of(const TcpRoute*) {
    static const FieldsOf<TcpRoute> f;
    static const Table<TcpRoute> table = {route_fields<TcpRoute>({f.required("rules", &TcpRoute::rules, items{1, 16})}), {check_parents<TcpRoute>}, {}};
    return table;
}

const Table<UdpRoute>& table_of(const UdpRoute*) {
    static const FieldsOf<UdpRoute> f;
    static const Table<UdpRoute> table = {route_fields<UdpRoute>({f.required("rules", &UdpRoute::rules, items{1, 16})}), {check_parents<UdpRoute>}, {}};
    return table;
}

}  // namespace penstock::model
