// SPDX-License-Identifier: Apache-2.0
// Strict parsers of HTTP/1.x heads and bodies (RFC 9112). No I/O, no guesses: whatever two servers could read in two ways is
// refused, as request smuggling lives there. The result does not depend on how the bytes were cut.
//
//   RequestParser parser(limits);
//   // `bytes` holds everything received since the start of the message; it may have moved since the last call
//   switch (parser.parse(bytes)) {
//       case Progress::more: ...receive more, append...
//       case Progress::done: parser.head() has views into `bytes`; the body starts at bytes[parser.size()]
//       case Progress::rejected: status_of(parser.reject()), then close
//   }
//   parser.reset();  // for the next message; keeps its memory
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/http/message.hpp"
#include "userspace/http/reject.hpp"

namespace penstock::http {

enum class Progress : std::uint8_t { more, done, rejected };

// The lines that requests, responses and trailers have in common.
class LineReader {
public:
    struct Field {
        std::uint32_t name, name_size, value, value_size;  // offsets into the head
    };

protected:
    explicit LineReader(const Limits& limits) : limits_(limits) {}
    // Finds the next line in `bytes` from at_. more: incomplete. done: [line_begin_, line_end_) without CRLF.
    Progress next_line(std::string_view bytes, std::size_t limit, Reject too_large);
    Progress header_line(std::string_view line);  // behind it, in memory, is its CRLF
    Progress refuse(Reject why) {
        reject_ = why;
        return Progress::rejected;
    }
    void restart();
    void fill(std::string_view bytes, Headers& headers) const;

    // The fields that say how a message is read.
    enum class Known : std::uint8_t { other, host, content_length, transfer_encoding, connection, expect, upgrade };
    static Known known_field(std::string_view name);
    [[nodiscard]] std::uint32_t count(Known field) const { return seen_[static_cast<std::size_t>(field)].count; }
    // The value of the last one; only if there is one.
    [[nodiscard]] std::string_view last(const Headers& headers, Known field) const {
        return (headers.begin() + seen_[static_cast<std::size_t>(field)].last)->value;
    }
    [[nodiscard]] bool connection_has(const Headers& headers, std::string_view token) const;
    // Only if there is a Content-Length; only if there is a Transfer-Encoding, and none if that is exactly "chunked".
    Reject parse_length(const Headers& headers, std::uint64_t& value) const;
    [[nodiscard]] Reject parse_encoding(const Headers& headers) const;

    Limits limits_;
    Reject reject_ = Reject::none;
    std::size_t at_ = 0;       // of the line that is being read
    std::size_t scanned_ = 0;  // no line end before
    std::size_t line_begin_ = 0, line_end_ = 0;
    std::vector<Field> fields_;

private:
    struct Seen {
        std::uint32_t count = 0, last = 0;  // last: its number among the fields
    };
    std::array<Seen, 7> seen_;
};

class RequestParser : private LineReader {
public:
    explicit RequestParser(const Limits& limits = {}) : LineReader(limits) {}
    Progress parse(std::string_view bytes);
    // After done. The views die with the bytes.
    [[nodiscard]] RequestHead& head() { return head_; }
    [[nodiscard]] std::size_t size() const { return at_; }  // of the head with its empty line
    [[nodiscard]] Reject reject() const { return reject_; }
    void reset();

private:
    Progress request_line(std::string_view line);
    Progress finish(std::string_view bytes);
    Reject check_target();
    Reject check_host();
    Reject check_framing();

    RequestHead head_;
    std::uint32_t method_size_ = 0, target_size_ = 0, start_ = 0;
    bool have_line_ = false, skipped_empty_ = false;
};

class ResponseParser : private LineReader {
public:
    explicit ResponseParser(const Limits& limits = {}) : LineReader(limits) {}
    // For the answer to which request: HEAD has no body, a CONNECT that succeeded is a tunnel.
    void expect(std::string_view method);
    Progress parse(std::string_view bytes);
    [[nodiscard]] ResponseHead& head() { return head_; }
    [[nodiscard]] std::size_t size() const { return at_; }
    [[nodiscard]] Reject reject() const { return reject_; }
    void reset();  // keeps what is expected: interim responses precede the final one

private:
    Progress status_line(std::string_view line);
    Progress finish(std::string_view bytes);
    Reject check_framing();

    ResponseHead head_;
    std::uint32_t reason_ = 0, reason_size_ = 0;
    bool have_line_ = false, to_head_ = false, to_connect_ = false;
    bool uncertain_ = false;  // what comes next on the connection may not be an answer
};

// Reads a body piece by piece. Data are views into the input, never copied.
class BodyReader : private LineReader {
public:
    explicit BodyReader(const Limits& limits = {}) : LineReader(limits) {}
    void start(Framing framing, std::uint64_t content_length);

    // Takes from the front of `input`. done: the message is complete, and what is left of the input belongs to the next one.
    // more: go on with what is left, if anything, or with new input. Give what was not consumed again.
    struct Piece {
        Progress progress = Progress::more;
        std::string_view data;     // payload; may be empty
        std::size_t consumed = 0;  // bytes of the input that are done with, the data included
    };
    Piece next(std::string_view input);
    // How many of the stream's next bytes are payload and nothing else, as far as the limit allows them.
    [[nodiscard]] std::uint64_t run() const;
    // So many of these went by unseen.
    void pass(std::uint64_t bytes);
    // The stream has ended. done if that completes the body (until_close), else more: it was cut off.
    Progress end();

    [[nodiscard]] Reject reject() const { return reject_; }
    [[nodiscard]] bool complete() const { return state_ == State::complete; }
    [[nodiscard]] std::uint64_t received() const { return received_; }  // bytes of payload
    // Trailer fields, once complete; own memory, valid until start(). Fields that frame, route or authenticate are left out.
    [[nodiscard]] const Headers& trailers() const { return trailers_; }

private:
    enum class State : std::uint8_t { data, until_close, chunk_size, chunk_data, chunk_end, trailer, complete };
    Piece fail(Reject why);
    Piece data(std::string_view input);
    Piece chunk_size(std::string_view input);
    Piece trailer(std::string_view input);
    Reject size_line(std::string_view line);
    Reject count(std::uint64_t bytes);

    State state_ = State::complete;
    std::uint64_t left_ = 0, received_ = 0;
    std::size_t extension_bytes_ = 0;
    std::string line_;          // a size line or trailer that came in pieces
    std::string trailer_text_;
    Headers trailers_;
};

// What both versions of HTTP hold text against.
inline constexpr std::size_t kMethodMax = 64;
// The token characters of RFC 9110 5.6.2; not empty.
bool is_token(std::string_view text);
// Visible characters, spaces, tabs and obs-text; may be empty.
bool is_field_value(std::string_view text);
// A request target without spaces, fragments, backslashes, or what is not ASCII.
bool is_target_text(std::string_view target);
// uri-host [":" port]: a name of letters, digits, "-", ".", "_", an IPv4 address or an IPv6 one in brackets.
bool is_host(std::string_view text);
// Some backends read "_" as "-" in names: a double of Content-Length or Transfer-Encoding.
bool frames_in_disguise(std::string_view name);
// One plain number.
Reject parse_content_length(std::string_view text, std::uint64_t& value);
// Not a field that decides where a message goes, how long it is, who sent it or what it is.
bool allowed_in_trailers(std::string_view name);

}  // namespace penstock::http
