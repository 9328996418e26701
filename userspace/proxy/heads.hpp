// SPDX-License-Identifier: Apache-2.0
// Heads on their way through: what a backend gets of a request, and a client of a response. Pure, and the same for every version of HTTP.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "schema/reasons.hpp"
#include "schema/views.hpp"
#include "userspace/http/message.hpp"
#include "userspace/http/reject.hpp"
#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/forwarded.hpp"
#include "userspace/proxy/language.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;

struct CorsReply;

// What the rule, its chosen backend and the match say about one request. Pointers may be null.
struct Treatment {
    const fb::Filters* rule = nullptr;
    const fb::Filters* backend = nullptr;
    std::string_view matched_prefix;  // of the match, for ReplacePrefixMatch; "/" or without trailing slash
    CorsReply* cors = nullptr;
    std::uint32_t trusted_hops = 0;   // of the listener: see forwarded.hpp
    std::string_view via;             // our name in Via, of the listener; empty: none is added
    HttpVersion version = HttpVersion::http11;  // that the client speaks
};

// A request on its way to a backend. `headers` has neither Host nor what belongs to one connection; its views are of the client's
// head, of the rule and of this, so it stays where it is.
struct Outgoing {
    Outgoing() = default;
    Outgoing(const Outgoing&) = delete;

    std::string_view method;
    std::string target;            // path and query
    std::string host;
    http::Headers headers;
    http::Framing framing = http::Framing::none;
    std::uint64_t content_length = 0;
    std::string upgrade;           // the protocol to switch to; empty: none
    bool trailers = false;         // the client takes trailers (TE)

    // What headers refer to.
    Forwarded forwarded;
    std::string request_id, via, hops, owned;

    // Copies what the views refer to, for those who outlive the client's head.
    void own();
};

// Whether a client's X-Request-Id may be ours: 1 to 128 letters, digits and ._~:/+=@-, so that it can stand in a log, a page or a header
// of anybody. Another one is replaced.
bool is_request_id(std::string_view text);

// `path`: normalised. `head`'s bytes must stay as long as `out` is used.
void prepare_request(Outgoing& out, const http::RequestHead& head, std::string_view path, const ClientFacts& client, const Treatment& treatment,
                     std::string_view request_id);
// In HTTP/1.1; appends.
void write_head(std::string& out, const Outgoing& request);

// Takes away what belongs to the backend's connection and edits what the filters say. The upgrade of a 101 stays.
void prepare_response(http::ResponseHead& head, const Treatment& treatment);

// An answer of our own. Its head refers to its texts, so it stays where it is.
struct Answer {
    Answer() = default;
    Answer(const Answer&) = delete;

    http::ResponseHead head;
    std::string location, length, body, grpc_message, asked;
};

// Empty body.
void make_redirect(Answer& answer, const http::RequestHead& head, std::string_view path, const ClientFacts& client, const fb::Redirect& redirect,
                   std::string_view matched_prefix);

// But for the body's, which is the request's listener's business.
http::Limits http_limits(const fb::LimitsT& limits);
// RFC 9110 7.6.2: how often a request of OPTIONS or TRACE may be passed on; nothing if it does not say so, or has another method. One with 0
// is not to be prepared.
std::optional<std::uint64_t> hops_left(const http::RequestHead& head);
// RFC 9110 9.2.2: may be sent again when nobody knows whether it was served.
bool idempotent(std::string_view method);

// What a message that was refused while it was read is counted as.
Reason reason_of(http::Reject reject);

struct Refusal {
    Reason reason = Reason::bad_request;
    int status = 400;
    std::string_view detail = {};  // instead of the reason's own sentence
    std::string_view request_id = {};  // is_request_id(), or none
    Language language = Language::text;
    bool to_head = false;          // an answer to HEAD: the body is left out
};
void make_refusal(Answer& answer, const Refusal& refusal);

// The path after an edit: the whole of it, or the matched prefix exchanged.
std::string edited_path(std::string_view path, fb::PathEdit edit, std::string_view replacement, std::string_view matched_prefix);

}  // namespace penstock::proxy
