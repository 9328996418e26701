// SPDX-License-Identifier: Apache-2.0
// Heads on their way through: what a backend gets of a request, and a client of a response. Pure: text in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "schema/reasons.hpp"
#include "schema/snapshot_generated.h"
#include "userspace/http/message.hpp"
#include "userspace/http/reject.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;

// Of the client's connection.
struct ClientFacts {
    std::string address;          // without port
    bool tls = false;
    std::uint16_t port = 0;       // of the listener
};

// What the rule, its chosen backend and the match say about one request. Pointers may be null.
struct Treatment {
    const fb::FiltersT* rule = nullptr;
    const fb::FiltersT* backend = nullptr;
    std::string_view matched_prefix;  // of the match, for ReplacePrefixMatch; "/" or without trailing slash
};

// Appends the request for the backend to `out`. Changes `head.headers` on the way. `path`: normalised.
void write_request(std::string& out, http::RequestHead& head, std::string_view path, const ClientFacts& client, const Treatment& treatment,
                   std::string_view request_id);

// Appends the response for the client. `framing`: how the body will be sent; `keep_alive`: whether the connection stays.
void write_response(std::string& out, http::ResponseHead& head, http::Framing framing, bool keep_alive, int client_minor, const Treatment& treatment);

// An answer without a body.
void write_empty(std::string& out, int status, bool keep_alive);

// The answer to a redirected request, whole; empty body.
void write_redirect(std::string& out, const http::RequestHead& head, std::string_view path, const ClientFacts& client, const fb::RedirectT& redirect,
                    std::string_view matched_prefix, bool keep_alive);

// What a message that was refused while it was read is counted as.
Reason reason_of(http::Reject reject);

// An answer of our own.
struct Refusal {
    Reason reason = Reason::bad_request;
    int status = 400;
    std::string_view detail = {};  // instead of the reason's own sentence
    std::string_view request_id = "-";
    bool keep_alive = false;
    bool json = false;             // the client prefers it to text
    bool to_head = false;          // an answer to HEAD: the body is left out
};
void write_refusal(std::string& out, const Refusal& refusal);

// The path after an edit: the whole of it, or the matched prefix exchanged.
std::string edited_path(std::string_view path, fb::PathEdit edit, std::string_view replacement, std::string_view matched_prefix);

}  // namespace penstock::proxy
