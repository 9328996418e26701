// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/cors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace penstock::proxy {

namespace {

constexpr std::array<std::string_view, 6> kAnswers = {"access-control-allow-origin",  "access-control-allow-credentials", "access-control-allow-methods",
                                                      "access-control-allow-headers", "access-control-expose-headers",    "access-control-max-age"};
// Readable by every script anyway (Fetch, CORS-safelisted response-header name).
constexpr std::array<std::string_view, 7> kExposedAnyway = {"cache-control", "content-language", "content-length", "content-type", "expires", "last-modified", "pragma"};

bool one_of(std::string_view name, std::span<const std::string_view> names) {
    return std::any_of(names.begin(), names.end(), [name](std::string_view other) { return http::equals_ignoring_case(name, other); });
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_scheme(std::string_view text) {
    return !text.empty() && is_letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; });
}
bool is_host(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '*' || c == '[' || c == ']' || c == ':';
    });
}

std::uint16_t port_of_scheme(std::string_view scheme) {
    return http::equals_ignoring_case(scheme, "https") ? 443 : http::equals_ignoring_case(scheme, "http") ? 80 : 0;
}

// Of the fields that a script may not read without being told so.
std::string names_of(const http::Headers& headers) {
    std::string names;
    for (auto field = headers.begin(); field != headers.end(); ++field) {
        const bool again = std::any_of(headers.begin(), field, [&](const http::Header& before) { return http::equals_ignoring_case(before.name, field->name); });
        if (!again && !one_of(field->name, kExposedAnyway)) {
            names.append(names.empty() ? "" : ", ").append(field->name);
        }
    }
    return names;
}

bool ends_with_name(std::string_view host, std::string_view end) {
    return host.size() > end.size() && http::equals_ignoring_case(host.substr(host.size() - end.size()), end);
}

}  // namespace

bool is_preflight(const http::RequestHead& head) {
    return head.method == "OPTIONS" && head.headers.has("origin") && head.headers.has("access-control-request-method");
}

Cors::Cors(const fb::CorsT& filter)
    : filter_(filter), methods_(joined(filter.allow_methods)), headers_(joined(filter.allow_headers)), exposed_(joined(filter.expose_headers)), max_age_(std::to_string(filter.max_age_s)) {
    for (const std::string& text : filter.allow_origins) {
        Origin origin;
        any_origin_ |= text == "*";
        if (parse(text, origin)) {
            origins_.push_back(origin);
        }
    }
}

Cors::List Cors::joined(const std::vector<std::string>& values) {
    List list;
    for (const std::string& value : values) {
        list.any |= value == "*";
        list.text += (list.text.empty() ? "" : ", ") + value;
    }
    return list;
}

// scheme://host[:port]
bool Cors::parse(std::string_view text, Origin& out) {
    const std::size_t scheme_end = text.find("://");
    if (scheme_end == std::string_view::npos) {
        return false;
    }
    out.scheme = text.substr(0, scheme_end);
    std::string_view rest = text.substr(scheme_end + 3);
    out.port = port_of_scheme(out.scheme);
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos) {
        const std::string_view digits = rest.substr(colon + 1);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
        if (error != std::errc() || end != digits.data() + digits.size() || out.port == 0) {
            return false;
        }
        rest = rest.substr(0, colon);
    }
    out.host = rest;
    return is_scheme(out.scheme) && is_host(out.host);
}

bool Cors::fits(const Origin& pattern, const Origin& origin) {
    if (!http::equals_ignoring_case(pattern.scheme, origin.scheme) || pattern.port != origin.port) {
        return false;
    }
    // The star is greedy to the left: any number of labels, but at least one.
    return pattern.host == "*" || (pattern.host.starts_with("*.") && ends_with_name(origin.host, pattern.host.substr(1))) ||
           http::equals_ignoring_case(pattern.host, origin.host);
}

std::string_view Cors::allowed_origin(const http::RequestHead& head) const {
    const auto text = head.headers.find("origin");
    Origin origin;
    if (!text || head.headers.count("origin") != 1 || !(parse(*text, origin) || *text == "null") || origin.host.find('*') != std::string_view::npos) {
        return {};
    }
    const bool allowed = any_origin_ || std::any_of(origins_.begin(), origins_.end(), [&](const Origin& pattern) { return fits(pattern, origin); });
    return allowed ? *text : std::string_view();
}

void Cors::answer_preflight(Answer& answer, const http::RequestHead& head, std::string_view origin) const {
    http::Headers& fields = answer.head.headers;
    answer.head.status = 200;
    fields.add("Access-Control-Allow-Origin", origin);
    if (filter_.allow_credentials) {
        fields.add("Access-Control-Allow-Credentials", "true");
    }
    const std::string_view methods = methods_.any ? *head.headers.find("access-control-request-method") : std::string_view(methods_.text);
    if (!methods.empty()) {
        fields.add("Access-Control-Allow-Methods", methods);
    }
    const std::string_view headers = headers_.any ? head.headers.joined("access-control-request-headers", answer.asked).value_or("") : std::string_view(headers_.text);
    if (!headers.empty()) {
        fields.add("Access-Control-Allow-Headers", headers);
    }
    if (!exposed_.text.empty() && !(exposed_.any && filter_.allow_credentials)) {
        fields.add("Access-Control-Expose-Headers", exposed_.text);
    }
    fields.add("Access-Control-Max-Age", max_age_);
    fields.add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    fields.add("Content-Length", "0");
}

void Cors::edit_response(http::Headers& headers, std::string_view origin, std::string& exposed) const {
    for (const std::string_view name : kAnswers) {
        headers.remove(name);
    }
    if (!headers.has_token("vary", "origin") && !headers.has_token("vary", "*")) {
        headers.add("Vary", "Origin");  // of every answer: caches must not give one client's to another
    }
    if (origin.empty()) {
        return;
    }
    exposed = exposed_.text;
    if (exposed_.any && filter_.allow_credentials) {  // "*" would be the name of a field
        exposed = names_of(headers);
    }
    headers.add("Access-Control-Allow-Origin", origin);
    if (filter_.allow_credentials) {
        headers.add("Access-Control-Allow-Credentials", "true");
    }
    if (!exposed.empty()) {
        headers.add("Access-Control-Expose-Headers", exposed);
    }
}

}  // namespace penstock::proxy
