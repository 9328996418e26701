// SPDX-License-Identifier: Apache-2.0
// Requests and their bodies: whatever comes, the result is the same whole and in pieces, and views stay inside the input.
#include <cstdlib>
#include <string>

#include "userspace/http/parser.hpp"

using namespace penstock::http;

namespace {

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

struct Read {
    Progress progress = Progress::more;
    std::string text;
};

Read read_body(std::string_view bytes, std::size_t step, Framing framing, std::uint64_t length) {
    BodyReader reader(Limits{.chunk_extension_bytes_max = 64, .trailer_bytes_max = 256, .body_bytes_max = 4096});
    reader.start(framing, length);
    Read out;
    std::string held;
    for (std::size_t at = 0; at < bytes.size() && out.progress == Progress::more; at += step) {
        held += bytes.substr(at, step);
        for (bool again = true; again && out.progress == Progress::more;) {
            const auto piece = reader.next(held);
            require(piece.consumed <= held.size() && piece.data.size() <= piece.consumed);
            out.progress = piece.progress;
            out.text += piece.data;
            held.erase(0, piece.consumed);
            again = piece.consumed != 0 && !held.empty();
        }
    }
    if (out.progress == Progress::rejected) {
        out.text = name_of(reader.reject());
    }
    return out;
}

Read read_head(std::string_view bytes, std::size_t step, RequestParser& parser) {
    Read out;
    for (std::size_t at = step; out.progress == Progress::more; at += step) {
        out.progress = parser.parse(bytes.substr(0, at));
        if (at >= bytes.size()) {
            break;
        }
    }
    if (out.progress == Progress::done) {
        out.text = std::string(parser.head().method) + " " + std::string(parser.head().path) + " " + std::string(parser.head().host);
        for (const Header& field : parser.head().headers) {
            require(is_token(field.name) && field.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
        }
    } else {
        out.text = name_of(parser.reject());
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const Limits limits{.head_bytes_max = 1024, .headers_max = 8};
    RequestParser whole(limits), split(limits);
    const Read one = read_head(bytes, bytes.size() + 1, whole), two = read_head(bytes, 1, split);
    require(one.progress == two.progress && one.text == two.text);
    if (one.progress == Progress::done) {
        require(whole.size() == split.size() && whole.size() <= size);
        const std::string_view rest = bytes.substr(whole.size());
        const RequestHead& head = whole.head();
        const Read a = read_body(rest, rest.size() + 1, head.framing, head.content_length);
        const Read b = read_body(rest, 1, head.framing, head.content_length);
        require(a.progress == b.progress && a.text == b.text);
    }
    ResponseParser response(limits);
    response.expect("GET");
    if (response.parse(bytes) == Progress::done) {
        require(response.size() <= size && response.head().status >= 100);
    }
    const Read a = read_body(bytes, bytes.size() + 1, Framing::chunked, 0), b = read_body(bytes, 1, Framing::chunked, 0);
    require(a.progress == b.progress && a.text == b.text);
    return 0;
}
