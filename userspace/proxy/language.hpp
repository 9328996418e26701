// SPDX-License-Identifier: Apache-2.0
// What our own answers are written in, and how they look. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/http/message.hpp"
#include "userspace/proxy/client_side.hpp"

namespace penstock::proxy {

enum class Language : std::uint8_t { text, json, html, grpc };

// gRPC's clients hear of it by a status of gRPC (over HTTP/2, where they are). Others by Accept (RFC 9110 12.5.1): of plain text, JSON and
// HTML what they like best; of what they like equally, what they name first. Who likes nothing of it gets text.
Language language_of(const http::RequestHead& head, HttpVersion version);

struct Page {
    int status = 0;
    std::string_view reason, text, request_id;
};
// The body of an answer in text, JSON or HTML, and its Content-Type.
std::string page_of(const Page& page, Language language);
std::string_view media_type_of(Language language);

}  // namespace penstock::proxy
