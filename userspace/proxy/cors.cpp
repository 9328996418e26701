// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/cors.hpp"

#include <algorithm>
#include <array>
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

}  // namespace

Cors::Cors(const fb::Cors& filter)
    : filter_(filter),
      origins_(*filter.allow_origins()),
      methods_(joined(filter.allow_methods())),
      headers_(joined(filter.allow_headers())),
      exposed_(joined(filter.expose_headers())),
      max_age_(std::to_string(filter.max_age_s())) {}

Cors::List Cors::joined(const Names* values) {
    List list;
    for (const flatbuffers::String* value : fb::each(values)) {
        list.any |= value->string_view() == "*";
        list.text.append(list.text.empty() ? "" : ", ").append(value->string_view());
    }
    return list;
}

std::string_view Cors::allowed_origin(const http::RequestHead& head) const {
    const auto text = head.headers.find("origin");
    return text && head.headers.count("origin") == 1 && origins_.allow(*text) ? *text : std::string_view();
}

void Cors::answer_preflight(Answer& answer, const http::RequestHead& head, std::string_view origin) const {
    http::Headers& fields = answer.head.headers;
    answer.head.status = 200;
    fields.add("Access-Control-Allow-Origin", origin);
    if (filter_.allow_credentials()) {
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
    if (!exposed_.text.empty() && !(exposed_.any && filter_.allow_credentials())) {
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
    if (exposed_.any && filter_.allow_credentials()) {  // "*" would be the name of a field
        exposed = names_of(headers);
    }
    headers.add("Access-Control-Allow-Origin", origin);
    if (filter_.allow_credentials()) {
        headers.add("Access-Control-Allow-Credentials", "true");
    }
    if (!exposed.empty()) {
        headers.add("Access-Control-Expose-Headers", exposed);
    }
}

}  // namespace penstock::proxy
