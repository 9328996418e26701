// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/heads.hpp"

#include <fmt/format.h>

#include "userspace/http/writer.hpp"
#include "userspace/match/host_index.hpp"

namespace penstock::proxy {

namespace {

void edit(http::Headers& headers, const fb::HeaderEditT* edit) {
    if (edit == nullptr) {
        return;
    }
    for (const std::string& name : edit->remove) {
        headers.remove(name);
    }
    for (const auto& field : edit->set) {
        headers.set(field->name, field->value);
    }
    for (const auto& field : edit->add) {
        headers.add(field->name, field->value);
    }
}

void edit_request(http::Headers& headers, const fb::FiltersT* filters) { edit(headers, filters != nullptr ? filters->request_headers.get() : nullptr); }
void edit_response(http::Headers& headers, const fb::FiltersT* filters) { edit(headers, filters != nullptr ? filters->response_headers.get() : nullptr); }

const fb::RewriteT* rewrite_of(const Treatment& treatment) {
    if (treatment.backend != nullptr && treatment.backend->rewrite != nullptr) {
        return treatment.backend->rewrite.get();
    }
    return treatment.rule != nullptr ? treatment.rule->rewrite.get() : nullptr;
}

std::string escaped(std::string_view text) {
    std::string result;
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') {
            result += '\\';
        }
        result += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
    }
    return result;
}

}  // namespace

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

void write_request(std::string& out, http::RequestHead& head, std::string_view path, const ClientFacts& client, const Treatment& treatment,
                   std::string_view request_id) {
    const fb::RewriteT* rewrite = rewrite_of(treatment);
    std::string target = rewrite != nullptr ? edited_path(path, rewrite->path_edit, rewrite->path, treatment.matched_prefix) : std::string(path);
    if (head.has_query) {
        target += '?';
        target += head.query;
    }
    http::Headers& headers = head.headers;
    const std::string host = rewrite != nullptr && !rewrite->hostname.empty() ? rewrite->hostname : std::string(head.host);
    const std::string forwarded_host(head.host);
    const auto chain = headers.joined("x-forwarded-for");
    const std::string forwarded_for = chain ? *chain + ", " + client.address : client.address;
    const std::string upgrade(head.upgrade ? headers.find("upgrade").value_or("") : "");
    const bool trailers = headers.has_token("te", "trailers");

    headers.remove_hop_by_hop();
    headers.remove("content-length");
    headers.remove("host");
    if (head.minor == 0) {
        headers.remove("expect");  // means nothing there, but would to the backend
    }
    // Forwarded by strangers says what they like; ours is added to X-Forwarded-For only, the rest is replaced.
    headers.set("X-Forwarded-For", forwarded_for);
    headers.set("X-Forwarded-Proto", client.tls ? "https" : "http");
    headers.set("X-Forwarded-Host", forwarded_host);
    if (!headers.has("x-request-id")) {
        headers.add("X-Request-Id", request_id);
    }
    edit_request(headers, treatment.rule);
    edit_request(headers, treatment.backend);
    const std::string edited_host(headers.find("host").value_or(host));
    headers.remove("host");

    http::HeadWriter writer(out);
    writer.request(head.method, target).header("Host", edited_host).headers(headers).framing(head.framing, head.content_length);
    if (head.framing == http::Framing::none && (head.method == "POST" || head.method == "PUT" || head.method == "PATCH")) {
        writer.header("Content-Length", std::uint64_t{0});  // RFC 9110 8.6
    }
    if (trailers) {
        writer.header("TE", "trailers");  // as we pass them on
    }
    if (!upgrade.empty()) {
        writer.header("Connection", trailers ? "upgrade, TE" : "upgrade").header("Upgrade", upgrade);
    } else if (trailers) {
        writer.header("Connection", "TE");
    }
    writer.end();
}

void write_response(std::string& out, http::ResponseHead& head, http::Framing framing, bool keep_alive, int client_minor, const Treatment& treatment) {
    http::Headers& headers = head.headers;
    const bool switching = head.status == 101;
    const std::string upgrade(switching ? headers.find("upgrade").value_or("") : "");
    const bool had_length = headers.has("content-length");
    headers.remove_hop_by_hop();
    headers.remove("content-length");
    if (!head.interim()) {
        edit_response(headers, treatment.backend);
        edit_response(headers, treatment.rule);
    }
    http::HeadWriter writer(out);
    writer.status(head.status, head.reason).headers(headers);
    if (head.interim()) {
        writer.end();
        return;
    }
    if (switching) {
        writer.header("Connection", "upgrade").header("Upgrade", upgrade).end();
        return;
    }
    if (framing == http::Framing::none) {
        // The answer to HEAD and 304 keep the length of what GET would give; others without a body say so, but for 204 (RFC 9110 8.6).
        if (had_length && head.status != 204) {
            writer.header("Content-Length", head.content_length);
        }
    } else {
        writer.framing(framing, head.content_length);
    }
    if (!keep_alive) {
        writer.header("Connection", "close");
    } else if (client_minor == 0) {
        writer.header("Connection", "keep-alive");
    }
    writer.end();
}

void write_empty(std::string& out, int status, bool keep_alive) {
    http::HeadWriter writer(out);
    writer.status(status).header("Content-Length", std::uint64_t{0});
    if (!keep_alive) {
        writer.header("Connection", "close");
    }
    writer.end();
}

void write_redirect(std::string& out, const http::RequestHead& head, std::string_view path, const ClientFacts& client, const fb::RedirectT& redirect,
                    std::string_view matched_prefix, bool keep_alive) {
    const std::string scheme = redirect.scheme.empty() ? (client.tls ? "https" : "http") : redirect.scheme;
    const std::string host = redirect.hostname.empty() ? match::normal_host(head.host) : redirect.hostname;
    // Gateway API, HTTPRequestRedirectFilter.port: given, else the scheme's if one was given, else the listener's.
    std::uint16_t port = redirect.port;
    if (port == 0) {
        port = redirect.scheme.empty() ? client.port : static_cast<std::uint16_t>(scheme == "https" ? 443 : 80);
    }
    std::string location = scheme + "://" + host;
    if (port != (scheme == "https" ? 443 : 80)) {
        location += ":" + std::to_string(port);
    }
    location += edited_path(path, redirect.path_edit, redirect.path, matched_prefix);
    if (head.has_query) {
        location += '?';
        location += head.query;
    }
    http::HeadWriter writer(out);
    writer.status(redirect.status).header("Location", location).header("Content-Length", std::uint64_t{0});
    if (!keep_alive) {
        writer.header("Connection", "close");
    }
    writer.end();
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

void write_refusal(std::string& out, const Refusal& refusal) {
    const ReasonInfo& about = info(refusal.reason);
    const std::string_view text = refusal.detail.empty() ? about.text : refusal.detail;
    const std::string body =
        refusal.json ? fmt::format(R"({{"status":{},"reason":"{}","message":"{}","request_id":"{}"}})" "\n", refusal.status, about.name, escaped(text), escaped(refusal.request_id))
                     : fmt::format("{} {}\n{}: {}\nrequest {}\n", refusal.status, http::reason_phrase(refusal.status), about.name, text, refusal.request_id);
    http::HeadWriter writer(out);
    writer.status(refusal.status).header("Content-Type", refusal.json ? "application/json" : "text/plain; charset=utf-8").header("Content-Length", body.size());
    writer.header("X-Penstock-Reason", about.name);
    if (!refusal.keep_alive) {
        writer.header("Connection", "close");
    }
    writer.end();
    if (!refusal.to_head) {
        out += body;
    }
}

}  // namespace penstock::proxy
