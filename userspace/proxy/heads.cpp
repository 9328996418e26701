// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/heads.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "userspace/base/assert.hpp"
#include "userspace/http/writer.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/proxy/cors.hpp"

namespace penstock::proxy {

namespace {

void edit(http::Headers& headers, const fb::HeaderEdit* edit) {
    if (edit == nullptr) {
        return;
    }
    for (const flatbuffers::String* name : fb::each(edit->remove())) {
        headers.remove(name->string_view());
    }
    for (const fb::NameValue* field : fb::each(edit->set())) {
        headers.set(field->name()->string_view(), field->value()->string_view());
    }
    for (const fb::NameValue* field : fb::each(edit->add())) {
        headers.add(field->name()->string_view(), field->value()->string_view());
    }
}

void edit_request(http::Headers& headers, const fb::Filters* filters) { edit(headers, filters != nullptr ? filters->request_headers() : nullptr); }
void edit_response(http::Headers& headers, const fb::Filters* filters) { edit(headers, filters != nullptr ? filters->response_headers() : nullptr); }

// What we say ourselves. How a request is framed is ours, too: the parsers refuse Content_Length and its like.
constexpr std::array<std::string_view, 4> kOurs = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"};

// Applications behind CGI and its heirs read X_Forwarded_For and X-Forwarded-For as one variable (RFC 3875 4.1.18). What we say, and what a
// filter sets or removes, must not be said by a client in that spelling.
void remove_other_spellings(http::Headers& headers, const Treatment& treatment) {
    if (std::none_of(headers.begin(), headers.end(), [](const http::Header& field) { return field.name.find('_') != std::string_view::npos; })) {
        return;
    }
    for (const std::string_view name : kOurs) {
        headers.remove_underscored(name);
    }
    for (const fb::Filters* filters : {treatment.rule, treatment.backend}) {
        if (filters == nullptr || filters->request_headers() == nullptr) {
            continue;
        }
        for (const flatbuffers::String* name : fb::each(filters->request_headers()->remove())) {
            headers.remove_underscored(name->string_view());
        }
        for (const fb::NameValue* field : fb::each(filters->request_headers()->set())) {
            headers.remove_underscored(field->name()->string_view());
        }
    }
}

const fb::Rewrite* rewrite_of(const Treatment& treatment) {
    if (treatment.backend != nullptr && treatment.backend->rewrite() != nullptr) {
        return treatment.backend->rewrite();
    }
    return treatment.rule != nullptr ? treatment.rule->rewrite() : nullptr;
}

}  // namespace

bool is_request_id(std::string_view text) {
    constexpr std::size_t kMax = 128;
    const auto fits = [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9') || std::string_view("._~:/+=@-").find(letter) != std::string_view::npos;
    };
    return !text.empty() && text.size() <= kMax && std::all_of(text.begin(), text.end(), fits);
}

std::string edited_path(std::string_view path, fb::PathEdit edit, std::string_view replacement, std::string_view matched_prefix) {
    if (edit == fb::PathEdit::None) {
        return std::string(path);
    }
    if (edit == fb::PathEdit::ReplaceFull) {
        return replacement.empty() ? "/" : std::string(replacement);
    }
    // Gateway API, HTTPPathModifier: /foo/bar with /foo -> /xyz gives /xyz/bar; with /foo -> / gives /bar; an empty result is "/".
    std::string_view rest = matched_prefix == "/" ? path : path.substr(std::min(matched_prefix.size(), path.size()));
    if (replacement.ends_with('/')) {
        replacement.remove_suffix(1);
    }
    if (!rest.empty() && !rest.starts_with('/')) {
        return std::string(replacement) + "/" + std::string(rest);
    }
    const std::string result = std::string(replacement) + std::string(rest);
    return result.empty() ? "/" : result;
}

void prepare_request(Outgoing& out, const http::RequestHead& head, std::string_view path, const ClientFacts& client, const Treatment& treatment,
                     std::string_view request_id) {
    const fb::Rewrite* rewrite = rewrite_of(treatment);
    out.method = head.method;
    out.target = rewrite != nullptr ? edited_path(path, rewrite->path_edit(), fb::text(rewrite->path()), treatment.matched_prefix) : std::string(path);
    if (head.has_query) {
        out.target += '?';
        out.target += head.query;
    }
    out.framing = head.framing;
    out.content_length = head.content_length;
    out.headers = head.headers;
    http::Headers& headers = out.headers;
    out.forwarded = forwarded_of(headers, head.host, client, treatment.trusted_hops);
    out.upgrade = head.upgrade ? headers.find("upgrade").value_or("") : "";
    out.trailers = headers.has_token("te", "trailers");

    headers.remove_hop_by_hop();
    headers.remove("content-length");
    headers.remove("http2-settings");  // of an upgrade that is not passed on
    remove_other_spellings(headers, treatment);
    if (head.minor == 0) {
        headers.remove("expect");  // means nothing there, but would to the backend
    }
    headers.set("X-Forwarded-For", out.forwarded.chain);
    headers.set("X-Forwarded-Proto", out.forwarded.scheme);
    headers.set("X-Forwarded-Host", out.forwarded.host);
    headers.remove("forwarded");
    if (!out.forwarded.elements.empty()) {
        headers.add("Forwarded", out.forwarded.elements);
    }
    if (headers.find("x-request-id") != request_id || headers.count("x-request-id") != 1) {
        out.request_id = request_id;
        headers.set("X-Request-Id", out.request_id);
    }
    if (!treatment.via.empty()) {
        out.via = std::string(treatment.version == HttpVersion::http2 ? "2 " : treatment.version == HttpVersion::http10 ? "1.0 " : "1.1 ").append(treatment.via);
        headers.add("Via", out.via);
    }
    if (const auto hops = hops_left(head)) {
        PST_ASSERT(*hops != 0);
        out.hops = std::to_string(*hops - 1);
        headers.set("Max-Forwards", out.hops);
    }
    headers.remove("host");
    edit_request(headers, treatment.rule);
    edit_request(headers, treatment.backend);
    const auto edited_host = headers.find("host");
    const std::string_view new_host = rewrite != nullptr ? fb::text(rewrite->hostname()) : std::string_view();
    out.host = edited_host ? *edited_host : !new_host.empty() ? new_host : head.host;
    headers.remove("host");
}

void Outgoing::own() {
    std::size_t size = method.size();
    for (const auto& field : headers) {
        size += field.name.size() + field.value.size();
    }
    owned.reserve(size);
    const auto keep = [this](std::string_view text) {
        const std::size_t at = owned.size();
        owned += text;
        return std::string_view(owned).substr(at);
    };
    method = keep(method);
    http::Headers kept;
    kept.reserve(headers.size());
    for (const auto& field : headers) {
        const std::string_view name = keep(field.name);
        kept.add(name, keep(field.value));
    }
    headers = std::move(kept);
}

void write_head(std::string& out, const Outgoing& request) {
    http::HeadWriter writer(out);
    writer.request(request.method, request.target).header("Host", request.host).headers(request.headers).framing(request.framing, request.content_length);
    if (request.framing == http::Framing::none && (request.method == "POST" || request.method == "PUT" || request.method == "PATCH")) {
        writer.header("Content-Length", std::uint64_t{0});  // RFC 9110 8.6
    }
    if (request.trailers) {
        writer.header("TE", "trailers");  // as we pass them on
    }
    if (!request.upgrade.empty()) {
        writer.header("Connection", request.trailers ? "upgrade, TE" : "upgrade").header("Upgrade", request.upgrade);
    } else if (request.trailers) {
        writer.header("Connection", "TE");
    }
    writer.end();
}

void prepare_response(http::ResponseHead& head, const Treatment& treatment) {
    http::Headers& headers = head.headers;
    const std::string_view upgrade = head.status == 101 ? headers.find("upgrade").value_or("") : "";
    headers.remove_hop_by_hop();
    if (!upgrade.empty()) {
        headers.add("Upgrade", upgrade);
    }
    // The answer to HEAD and 304 keep the length of what GET would give; otherwise whoever writes the head says what follows.
    if (head.framing != http::Framing::none || head.interim() || head.status == 101 || head.status == 204) {
        headers.remove("content-length");
    }
    if (!head.interim()) {
        if (treatment.cors != nullptr) {
            treatment.cors->cors->edit_response(headers, treatment.cors->origin, treatment.cors->exposed);
        }
        edit_response(headers, treatment.backend);
        edit_response(headers, treatment.rule);
    }
}

void make_redirect(Answer& answer, const http::RequestHead& head, std::string_view path, const ClientFacts& client, const fb::Redirect& redirect,
                   std::string_view matched_prefix) {
    const std::string_view new_scheme = fb::text(redirect.scheme()), new_host = fb::text(redirect.hostname());
    const std::string scheme(new_scheme.empty() ? (client.tls ? "https" : "http") : new_scheme);
    const std::string host = new_host.empty() ? match::normal_host(head.host) : std::string(new_host);
    // Gateway API, HTTPRequestRedirectFilter.port: given, else the scheme's if one was given, else the listener's.
    std::uint16_t port = redirect.port();
    if (port == 0) {
        port = new_scheme.empty() ? client.port : static_cast<std::uint16_t>(scheme == "https" ? 443 : 80);
    }
    answer.location = scheme + "://" + host;
    if (port != (scheme == "https" ? 443 : 80)) {
        answer.location += ":" + std::to_string(port);
    }
    answer.location += edited_path(path, redirect.path_edit(), fb::text(redirect.path()), matched_prefix);
    if (head.has_query) {
        answer.location += '?';
        answer.location += head.query;
    }
    answer.head.status = redirect.status();
    answer.head.headers.add("Location", answer.location);
    answer.head.headers.add("Content-Length", "0");
}

http::Limits http_limits(const fb::LimitsT& limits) {
    http::Limits result;
    result.head_bytes_max = limits.header_bytes_max;
    result.headers_max = limits.headers_max;
    return result;
}

std::optional<std::uint64_t> hops_left(const http::RequestHead& head) {
    if (head.method != "OPTIONS" && head.method != "TRACE") {
        return std::nullopt;
    }
    const auto text = head.headers.find("max-forwards");
    std::uint64_t hops = 0;
    const auto [end, error] = std::from_chars(text ? text->data() : nullptr, text ? text->data() + text->size() : nullptr, hops);
    if (!text || end != text->data() + text->size() || (error != std::errc() && error != std::errc::result_out_of_range)) {
        return std::nullopt;
    }
    return error == std::errc() ? hops : std::numeric_limits<std::uint64_t>::max();  // more than anybody counts
}

bool idempotent(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" || method == "DELETE" || method == "TRACE";
}

Reason reason_of(http::Reject reject) {
    switch (http::status_of(reject)) {
        case 413: return Reason::body_too_large;
        case 414:
        case 431: return Reason::header_too_large;
        case 505: return Reason::unsupported_version;
        default: return Reason::bad_request;
    }
}

namespace {

// grpc.io, "HTTP to gRPC Status Code Mapping", but for 404, which it maps to UNIMPLEMENTED as we do, and 504, whose status is better known.
std::string_view grpc_status_of(int status) {
    switch (status) {
        case 400: return "13";            // INTERNAL
        case 401: return "16";            // UNAUTHENTICATED
        case 403: return "7";             // PERMISSION_DENIED
        case 404: return "12";            // UNIMPLEMENTED
        case 408:
        case 504: return "4";             // DEADLINE_EXCEEDED
        case 413:
        case 431: return "8";             // RESOURCE_EXHAUSTED
        case 429:
        case 500:
        case 502:
        case 503: return "14";            // UNAVAILABLE
        default: return "2";              // UNKNOWN
    }
}

void name_refusal(http::Headers& headers, const Refusal& refusal) {
    headers.add("X-Penstock-Reason", info(refusal.reason).name);
    if (!refusal.request_id.empty()) {
        headers.add("X-Request-Id", refusal.request_id);
    }
}

void make_grpc_refusal(Answer& answer, const Refusal& refusal, std::string_view text) {
    answer.head.status = 200;
    answer.grpc_message = fmt::format("{}: {}", info(refusal.reason).name, text);
    answer.head.headers.add("Content-Type", media_type_of(Language::grpc));
    name_refusal(answer.head.headers, refusal);
    answer.head.headers.add("Grpc-Status", grpc_status_of(refusal.status));
    answer.head.headers.add("Grpc-Message", answer.grpc_message);
}

}  // namespace

void make_refusal(Answer& answer, const Refusal& refusal) {
    const ReasonInfo& about = info(refusal.reason);
    const std::string_view text = refusal.detail.empty() ? about.text : refusal.detail;
    if (refusal.language == Language::grpc) {
        return make_grpc_refusal(answer, refusal, text);
    }
    const std::string_view id = refusal.request_id.empty() ? "-" : refusal.request_id;
    answer.body = page_of({.status = refusal.status, .reason = about.name, .text = text, .request_id = id}, refusal.language);
    answer.head.status = refusal.status;
    answer.head.headers.add("Content-Type", media_type_of(refusal.language));
    answer.head.headers.add("Cache-Control", "no-store");  // what is wrong here may be right in a moment
    name_refusal(answer.head.headers, refusal);
    answer.head.framing = http::Framing::length;
    answer.head.content_length = answer.body.size();
    if (refusal.to_head) {
        answer.head.framing = http::Framing::none;
        answer.length = std::to_string(answer.body.size());
        answer.head.headers.add("Content-Length", answer.length);
        answer.body.clear();
    }
}

}  // namespace penstock::proxy
