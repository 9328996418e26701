// SPDX-License-Identifier: Apache-2.0
// References, selectors and filters.
#include <cctype>

#include "ctl/model/tables.hpp"

namespace penstock::model {

const Table<ParentRef>& table_of(const ParentRef*) {
    static const FieldsOf<ParentRef> f;
    static const Table<ParentRef> table = {{f.optional("group", &ParentRef::group, group_name()), f.optional("kind", &ParentRef::kind, kind_text()),
                                            f.optional("namespace", &ParentRef::ns, namespace_name()), f.required("name", &ParentRef::name, length(1, 253)),
                                            f.optional("sectionName", &ParentRef::section_name, section_name()), f.optional("port", &ParentRef::port, port)},
                                           {}, {}};
    return table;
}

const Table<SecretRef>& table_of(const SecretRef*) {
    static const FieldsOf<SecretRef> f;
    static const Table<SecretRef> table = {{f.optional("group", &SecretRef::group, group_name()), f.optional("kind", &SecretRef::kind, kind_text()),
                                            f.required("name", &SecretRef::name, length(1, 253)), f.optional("namespace", &SecretRef::ns, namespace_name())},
                                           {}, {}};
    return table;
}

const Table<ObjectRef>& table_of(const ObjectRef*) {
    static const FieldsOf<ObjectRef> f;
    static const Table<ObjectRef> table = {{f.required("group", &ObjectRef::group, group_name()), f.required("kind", &ObjectRef::kind, kind_text()),
                                            f.required("name", &ObjectRef::name, length(1, 253)), f.optional("namespace", &ObjectRef::ns, namespace_name())},
                                           {}, {}};
    return table;
}

namespace {
void service_has_port(const At& at, const BackendObjectRef& ref) {
    if (ref.group.empty() && ref.kind == "Service" && !ref.port) {
        at.member("port").error("is missing: a Service needs one");
    }
}
}  // namespace

const Table<BackendObjectRef>& table_of(const BackendObjectRef*) {
    static const FieldsOf<BackendObjectRef> f;
    static const Table<BackendObjectRef> table = {
        {f.optional("group", &BackendObjectRef::group, group_name()), f.optional("kind", &BackendObjectRef::kind, kind_text()),
         f.required("name", &BackendObjectRef::name, length(1, 253)), f.optional("namespace", &BackendObjectRef::ns, namespace_name()),
         f.optional("port", &BackendObjectRef::port, port)},
        {service_has_port}, {}};
    return table;
}

const Table<BackendRef>& table_of(const BackendRef*) {
    static const FieldsOf<BackendRef> f;
    static const Table<BackendRef> table = {
        with_base<BackendRef>(table_of(static_cast<const BackendObjectRef*>(nullptr)), {f.optional("weight", &BackendRef::weight, range(0, 1'000'000, "is not a weight: 0 to 1000000"))}),
        {[](const At& at, const BackendRef& ref) { service_has_port(at, ref); }}, {}};
    return table;
}

const Table<LabelRequirement>& table_of(const LabelRequirement*) {
    static const FieldsOf<LabelRequirement> f;
    static const Table<LabelRequirement> table = {
        {f.required("key", &LabelRequirement::key), f.required("operator", &LabelRequirement::op), f.optional("values", &LabelRequirement::values)}, {}, {}};
    return table;
}

const Table<LabelSelector>& table_of(const LabelSelector*) {
    static const FieldsOf<LabelSelector> f;
    static const Table<LabelSelector> table = {{f.optional("matchLabels", &LabelSelector::match_labels), f.optional("matchExpressions", &LabelSelector::match_expressions)}, {}, {}};
    return table;
}

// ---- filters ------------------------------------------------------------------------------------------------------------
const Table<HttpHeader>& table_of(const HttpHeader*) {
    static const FieldsOf<HttpHeader> f;
    static const Table<HttpHeader> table = {{f.required("name", &HttpHeader::name, matches(is_token, "is not a header's name")),
                                             f.required("value", &HttpHeader::value, length(1, 4096), [](const std::string& text) -> std::string {
                                                 return text.find_first_of(std::string("\r\n\0", 3)) != std::string::npos ? "has a line end or NUL" : "";
                                             })},
                                            {}, {}};
    return table;
}

const Table<HeaderFilter>& table_of(const HeaderFilter*) {
    static const FieldsOf<HeaderFilter> f;
    static const Table<HeaderFilter> table = {{f.optional("set", &HeaderFilter::set, items{0, 16}), f.optional("add", &HeaderFilter::add, items{0, 16}),
                                               f.optional("remove", &HeaderFilter::remove, items{0, 16})},
                                              {[](const At& at, const HeaderFilter& filter) {
                                                  auto name = [](const HttpHeader& header) { return header.name; };
                                                  check_unique(at, "set", filter.set, "name", name);
                                                  check_unique(at, "add", filter.add, "name", name);
                                              }}, {}};
    return table;
}

const Table<PathModifier>& table_of(const PathModifier*) {
    static const FieldsOf<PathModifier> f;
    static const Table<PathModifier> table = {{f.required("type", &PathModifier::type, one_of({"ReplaceFullPath", "ReplacePrefixMatch"})),
                                               f.optional("replaceFullPath", &PathModifier::replace_full_path, length(0, 1024)),
                                               f.optional("replacePrefixMatch", &PathModifier::replace_prefix_match, length(0, 1024))},
                                              {}, {}};
    return table;
}

const Table<RedirectFilter>& table_of(const RedirectFilter*) {
    static const FieldsOf<RedirectFilter> f;
    static const Table<RedirectFilter> table = {
        {f.optional("scheme", &RedirectFilter::scheme, one_of({"http", "https"})), f.optional("hostname", &RedirectFilter::hostname, hostname()),
         f.optional("path", &RedirectFilter::path), f.optional("port", &RedirectFilter::port, port),
         f.optional("statusCode", &RedirectFilter::status_code,
                    [](const std::int32_t& code) -> std::string {
                        return code == 301 || code == 302 || code == 303 || code == 307 || code == 308 ? "" : std::to_string(code) + " is none of 301, 302, 303, 307, 308";
                    })},
        {}, {}};
    return table;
}

const Table<RewriteFilter>& table_of(const RewriteFilter*) {
    static const FieldsOf<RewriteFilter> f;
    static const Table<RewriteFilter> table = {{f.optional("hostname", &RewriteFilter::hostname, hostname()), f.optional("path", &RewriteFilter::path)}, {}, {}};
    return table;
}

const Table<Fraction>& table_of(const Fraction*) {
    static const FieldsOf<Fraction> f;
    static const Table<Fraction> table = {{f.required("numerator", &Fraction::numerator, range(0, 2147483647, "is negative")),
                                           f.optional("denominator", &Fraction::denominator, range(1, 2147483647, "is not positive"))},
                                          {[](const At& at, const Fraction& fraction) {
                                              if (fraction.numerator > fraction.denominator) {
                                                  at.error("the numerator is larger than the denominator");
                                              }
                                          }}, {}};
    return table;
}

const Table<MirrorFilter>& table_of(const MirrorFilter*) {
    static const FieldsOf<MirrorFilter> f;
    static const Table<MirrorFilter> table = {{f.required("backendRef", &MirrorFilter::backend_ref), f.optional("percent", &MirrorFilter::percent, range(0, 100, "is not a percentage")),
                                               f.optional("fraction", &MirrorFilter::fraction)},
                                              {[](const At& at, const MirrorFilter& filter) {
                                                  if (filter.percent && filter.fraction) {
                                                      at.error("percent and fraction exclude each other");
                                                  }
                                              }}, {}};
    return table;
}

namespace {
// "*", or http or https with a host, whose name may begin with "*." or be "*", and a port.
std::string cors_origin(const std::string& text) {
    std::string_view rest = text;
    for (const std::string_view scheme : {"https://", "http://"}) {
        if (rest.starts_with(scheme)) {
            rest.remove_prefix(scheme.size());
            break;
        }
    }
    const std::size_t colon = rest.find(':');
    const std::string_view port = colon == std::string_view::npos ? "1" : rest.substr(colon + 1);
    std::string_view host = rest.substr(0, colon);
    host = host == "*" ? "a" : host.starts_with("*.") ? host.substr(2) : host;
    const bool named = !host.empty() && host.front() != '.' && host.back() != '.' && host.find("..") == std::string_view::npos &&
                       std::all_of(host.begin(), host.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; });
    const bool numbered = !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    return text == "*" || (rest.size() != text.size() && named && numbered) ? "" : quoted(text) + " is not an origin like https://example.com";
}

// "*" stands for all and so alone.
std::string star_alone(const std::vector<std::string>& list) {
    return list.size() > 1 && std::find(list.begin(), list.end(), "*") != list.end() ? "'*' must stand alone" : "";
}

StringCheck cors_header() { return matches(is_token, "is not a header's name"); }
}  // namespace

const Table<CorsFilter>& table_of(const CorsFilter*) {
    static const FieldsOf<CorsFilter> f;
    static const StringCheck method = one_of({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "*"});
    static const Table<CorsFilter> table = {
        {f.optional("allowOrigins", &CorsFilter::allow_origins, items{0, 64}, star_alone, each(cors_origin)), f.optional("allowCredentials", &CorsFilter::allow_credentials),
         f.optional("allowMethods", &CorsFilter::allow_methods, items{0, 9}, star_alone, each(method)), f.optional("allowHeaders", &CorsFilter::allow_headers, items{0, 64}, star_alone, each(cors_header())),
         f.optional("exposeHeaders", &CorsFilter::expose_headers, items{0, 64}, each(cors_header())), f.optional("maxAge", &CorsFilter::max_age_s, range(1, 2147483647, "is not positive"))},
        {}, {}};
    return table;
}

const Table<ExternalAuthFilter>& table_of(const ExternalAuthFilter*) {
    static const FieldsOf<ExternalAuthFilter> f;
    // Its options are experimental and have no effect here yet: a route that uses it says so by a condition.
    static const Table<ExternalAuthFilter> table = {{f.required("protocol", &ExternalAuthFilter::protocol, one_of({"GRPC", "HTTP"})),
                                                     f.required("backendRef", &ExternalAuthFilter::backend_ref)},
                                                    {}, {"grpc", "http", "forwardBody"}};
    return table;
}

const Table<HttpFilter>& table_of(const HttpFilter*) {
    static const FieldsOf<HttpFilter> f;
    static const Table<HttpFilter> table = {
        {f.required("type", &HttpFilter::type,
                    one_of({"RequestHeaderModifier", "ResponseHeaderModifier", "RequestMirror", "RequestRedirect", "URLRewrite", "ExtensionRef", "CORS", "ExternalAuth"})),
         f.optional("requestHeaderModifier", &HttpFilter::request_header_modifier), f.optional("responseHeaderModifier", &HttpFilter::response_header_modifier),
         f.optional("requestMirror", &HttpFilter::request_mirror), f.optional("requestRedirect", &HttpFilter::request_redirect),
         f.optional("urlRewrite", &HttpFilter::url_rewrite), f.optional("cors", &HttpFilter::cors), f.optional("externalAuth", &HttpFilter::external_auth),
         f.optional("extensionRef", &HttpFilter::extension_ref)},
        {[](const At& at, const HttpFilter& filter) {
            const std::pair<const char*, std::pair<const char*, bool>> pairs[] = {
                {"RequestHeaderModifier", {"requestHeaderModifier", filter.request_header_modifier.has_value()}},
                {"ResponseHeaderModifier", {"responseHeaderModifier", filter.response_header_modifier.has_value()}},
                {"RequestMirror", {"requestMirror", filter.request_mirror.has_value()}},
                {"RequestRedirect", {"requestRedirect", filter.request_redirect.has_value()}},
                {"URLRewrite", {"urlRewrite", filter.url_rewrite.has_value()}},
                {"CORS", {"cors", filter.cors.has_value()}},
                {"ExternalAuth", {"externalAuth", filter.external_auth.has_value()}},
                {"ExtensionRef", {"extensionRef", filter.extension_ref.has_value()}}};
            for (const auto& [type, member] : pairs) {
                if (filter.type == type && !member.second) {
                    at.member(member.first).error("must be set with type " + filter.type);
                } else if (filter.type != type && member.second) {
                    at.member(member.first).error("must not be set with type " + filter.type);
                }
            }
        }}, {}};
    return table;
}

}  // namespace penstock::model
