// SPDX-License-Identifier: Apache-2.0
// Heads and trailers of HTTP/2 messages: decoded fields go in, one of the messages below comes out, or why it is refused. As strict as
// the HTTP/1 parser and by the same tables, so that whatever is let through can be written as HTTP/1. nghttp2's own checks are off: they
// would refuse without a reason to tell.
#pragma once

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "userspace/http/message.hpp"
#include "userspace/http/reject.hpp"

namespace penstock::http {

// The views point into `text`, which moves along. Names are lower case. Framing: none, length, chunked for a body of unknown length, or
// until_close for a tunnel (CONNECT).
struct H2Request {
    RequestHead head;            // minor 1; target is :path; the first of the headers is host, even if :authority said it
    std::string_view scheme;     // "http" or "https"; empty for CONNECT without protocol
    std::string_view protocol;   // of extended CONNECT (RFC 8441), else empty
    bool ended = false;          // no body and no trailers follow
    std::uint32_t size = 0;      // bytes of names and values, unpacked
    std::unique_ptr<char[]> text;
};

struct H2Response {
    ResponseHead head;           // minor 1, no reason
    bool ended = false;
    std::uint32_t size = 0;
    std::unique_ptr<char[]> text;
};

struct H2Trailers {
    H2Trailers() = default;
    explicit H2Trailers(const Headers& copied);

    Headers fields;              // those that may stand there; others are left out, as in HTTP/1
    std::unique_ptr<char[]> text;
};

// RFC 9218; a request that says nothing shares the connection evenly with others.
struct H2Priority {
    std::uint8_t urgency = 3;
    bool incremental = true;
};

// One head at a time: start(), field() for each field, then the finish function of its kind.
class H2HeadReader {
public:
    enum class Kind : std::uint8_t { discarded, request, response, trailers };

    explicit H2HeadReader(const Limits& limits) : limits_(limits) {}
    void start(Kind kind);
    // False: the fields are several times larger than the limit allows, more than a refused head can be (an HPACK bomb).
    bool field(std::string_view name, std::string_view value);

    // `ended`: the message ends with this head. `connect_protocol`: we said that we know extended CONNECT.
    Reject finish(bool ended, bool connect_protocol, H2Request& request, H2Priority& priority);
    // The answer to which method.
    Reject finish(bool ended, bool to_head, bool to_connect, H2Response& response);
    Reject finish(H2Trailers& trailers);

private:
    struct Span {
        std::uint32_t at = 0, size = 0;
    };
    struct Field {
        Span name, value;
    };
    enum Pseudo : std::uint8_t { kMethod, kScheme, kAuthority, kPath, kProtocol, kStatus, kPseudoCount };

    Reject check(std::string_view name, std::string_view value);
    Reject pseudo_field(std::string_view name, std::string_view value);
    Reject plain_field(std::string_view name, std::string_view value);
    Reject note_host();
    Reject note_length(std::string_view value);
    Span keep(std::string_view text);
    void grow(std::size_t size);
    void join_cookies();
    void fill(Headers& headers);
    [[nodiscard]] std::uint32_t unpacked_size() const;
    [[nodiscard]] std::string_view view(Span span) const { return {text_.get() + span.at, span.size}; }
    [[nodiscard]] std::string_view view(Pseudo pseudo) const { return view(pseudos_[pseudo]); }
    [[nodiscard]] bool has(Pseudo pseudo) const { return (seen_ >> pseudo & 1) != 0; }

    Reject check_request(bool ended, bool connect_protocol) const;
    Reject check_authority() const;
    void take_target(RequestHead& head) const;

    const Limits& limits_;
    Kind kind_ = Kind::discarded;
    Reject reject_ = Reject::none;
    std::uint8_t seen_ = 0;        // bits of Pseudo
    bool has_host_ = false, has_length_ = false, has_expect_ = false;
    std::uint64_t length_ = 0;
    std::size_t size_ = 0;         // as RFC 9113 6.5.2 counts a header list
    std::size_t count_ = 0;        // of fields, pseudo-header fields too
    std::size_t used_ = 0, room_ = 0;
    std::unique_ptr<char[]> text_;
    std::array<Span, kPseudoCount> pseudos_;
    Span host_;
    unsigned cookies_ = 0;
    H2Priority priority_;
    std::vector<Field> fields_;
};

}  // namespace penstock::http
