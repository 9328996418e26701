// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP/1.x messages: what a parsed request or response is.
#pragma once

#include <cstdint>
#include <string_view>

#include "userspace/http/headers.hpp"

namespace penstock::http {

struct Limits {
    std::size_t head_bytes_max = 65536;
    std::size_t headers_max = 100;
    std::size_t chunk_extension_bytes_max = 4096;  // of all chunks of a body together
    std::size_t trailer_bytes_max = 16384;
    std::uint64_t body_bytes_max = 0;              // 0: none
};

enum class Framing : std::uint8_t {
    none,        // no body
    length,      // content_length bytes, more than 0
    chunked,
    until_close  // responses only: up to the end of the stream
};

enum class TargetForm : std::uint8_t { origin, absolute, authority, asterisk };

// Views into the bytes that were parsed; those must stay.
struct RequestHead {
    std::string_view method;
    std::string_view target;   // as it came
    TargetForm form = TargetForm::origin;
    std::string_view path;     // "/a/b" without the query; "*" for asterisk, empty for authority form
    std::string_view query;    // without "?"
    bool has_query = false;    // "/a?" has an empty one
    std::string_view host;     // host[:port] of the target, else of the field Host; empty in HTTP/1.0 without either
    int minor = 1;             // HTTP/1.minor: 0 or 1
    Headers headers;           // all fields, Host and framing included
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;    // the client wants it
    bool expect_continue = false;
    bool upgrade = false;      // Connection has "upgrade" and there is an Upgrade field
};

struct ResponseHead {
    int status = 0;            // 100 to 999
    std::string_view reason;
    int minor = 1;
    Headers headers;
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;  // also of a bodiless answer (HEAD, 304), for the field
    bool keep_alive = true;    // the connection can be used again once the body is read
    [[nodiscard]] bool interim() const { return status >= 100 && status < 200 && status != 101; }
};

}  // namespace penstock::http
