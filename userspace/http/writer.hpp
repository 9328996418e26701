// SPDX-License-Identifier: Apache-2.0
// Writes HTTP/1.1 heads and chunks. Appends to a string that the caller keeps and reuses. Values must have been parsed or be
// ours: a CR or LF in one is a programmer's mistake and stops the process.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "userspace/http/message.hpp"

namespace penstock::http {

// "OK"; "" if we know none.
std::string_view reason_phrase(int status);

class HeadWriter {
public:
    explicit HeadWriter(std::string& out) : out_(out) {}
    HeadWriter& request(std::string_view method, std::string_view target);         // GET /a HTTP/1.1
    HeadWriter& status(int code, std::string_view reason = {});                    // HTTP/1.1 200 OK
    HeadWriter& header(std::string_view name, std::string_view value);
    HeadWriter& header(std::string_view name, std::uint64_t value);
    HeadWriter& headers(const Headers& fields);
    // Content-Length or Transfer-Encoding; nothing for none and until_close.
    HeadWriter& framing(Framing framing, std::uint64_t content_length);
    void end();  // the empty line

private:
    std::string& out_;
};

// What precedes a chunk of `size` > 0 bytes: "1f4\r\n"; after it comes kChunkEnd. The last chunk is kLastChunk.
class ChunkHead {
public:
    explicit ChunkHead(std::uint64_t size);
    [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

private:
    std::array<char, 20> text_;
    std::size_t size_ = 0;
};
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// "0\r\n", the trailer fields, and the empty line.
void write_last_chunk(std::string& out, const Headers& trailers);

}  // namespace penstock::http
