// SPDX-License-Identifier: Apache-2.0
// One request as one line, in JSON or as text. Pure. Whatever a client sent stays inside its value: it can end neither the value nor the
// line, send no escape sequence to a terminal, and a JSON line is always valid UTF-8.
// Never logged: header fields other than Host and User-Agent, so no Authorization and no Cookie, and bodies. Queries only if asked for.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/proxy/record.hpp"

namespace penstock::proxy {

// Append, with the line's end. `unix_us`: when the request was over.
void write_json_line(std::string& out, const Record& record, std::int64_t unix_us);
void write_text_line(std::string& out, const Record& record, std::int64_t unix_us);

// The inside of a JSON string: what is no UTF-8 becomes U+FFFD, controls of every kind are escaped.
void append_json(std::string& out, std::string_view text);
// Printable ASCII; the rest as \xNN, quotes and backslashes as \" and \\.
void append_text(std::string& out, std::string_view text);

}  // namespace penstock::proxy
