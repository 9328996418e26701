// SPDX-License-Identifier: Apache-2.0
// Requests, responses and their bodies. Whatever comes: the outcome is the same whole, in pieces, and with what may be passed unread; what
// was read is what may be read, and what we write of it is read back with the same meaning, to the last byte. The input's first byte
// chooses what is read and how it is cut.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "userspace/http/parser.hpp"
#include "userspace/http/writer.hpp"

using namespace penstock::http;

namespace {

constexpr Limits kLimits{.head_bytes_max = 1024, .headers_max = 8, .chunk_extension_bytes_max = 64, .trailer_bytes_max = 256, .body_bytes_max = 4096};
constexpr std::size_t kWrittenMore = 100;

void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

std::string text_of(const Headers& fields) {
    std::string text;
    for (const Header& field : fields) {
        require(is_token(field.name) && is_field_value(field.value) && !frames_in_disguise(field.name));
        text += std::string(field.name) + ":" + std::string(field.value) + "\n";
    }
    return text;
}

// ---- bodies ----------------------------------------------------------------------------------------------------------------------
struct Body {
    Progress progress = Progress::more;
    Reject reject = Reject::none;
    std::string data, trailers;
    std::size_t size = 0;  // bytes of the stream

    bool operator==(const Body&) const = default;
};

// `unread`: what need not be seen is passed.
Body read_body(std::string_view bytes, std::size_t step, Framing framing, std::uint64_t length, bool unread = false) {
    BodyReader reader(kLimits);
    reader.start(framing, length);
    Body out;
    out.progress = reader.complete() ? Progress::done : Progress::more;
    std::string held;
    for (std::size_t at = 0; at < bytes.size() && out.progress == Progress::more; at += step) {
        held += bytes.substr(at, step);
        if (const std::size_t run =
                static_cast<std::size_t>(std::min<std::uint64_t>(unread ? reader.run() : 0, held.size()));
            run != 0) {
            reader.pass(run);
            out.data += held.substr(0, run);
            out.size += run;
            held.erase(0, run);
            out.progress = reader.complete() ? Progress::done : Progress::more;
        }
        for (bool again = true; again && out.progress == Progress::more;) {
            const auto piece = reader.next(held);
            require(piece.consumed <= held.size() && piece.data.size() <= piece.consumed);
            require(piece.data.empty() || (piece.data.data() >= held.data() && piece.data.data() + piece.data.size() <= held.data() + held.size()));
            out.progress = piece.progress;
            out.data += piece.data;
            out.size += piece.consumed;
            held.erase(0, piece.consumed);
            again = piece.consumed != 0 && !held.empty();
        }
    }
    if (framing == Framing::until_close && out.progress == Progress::more) {
        out.progress = reader.end();
    }
    require(out.progress == Progress::rejected || (reader.received() == out.data.size() && out.data.size() <= kLimits.body_bytes_max));
    out.reject = reader.reject();
    out.trailers = text_of(reader.trailers());
    for (const Header& field : reader.trailers()) {
        require(allowed_in_trailers(field.name));
    }
    if (out.progress == Progress::rejected) {
        return {.progress = Progress::rejected, .reject = out.reject};  // how much came before depends on the cuts
    }
    return out;
}

Body body_both_ways(std::string_view bytes, std::size_t step, Framing framing, std::uint64_t length) {
    const Body whole = read_body(bytes, bytes.size() + 1, framing, length);
    require(whole == read_body(bytes, step, framing, length));
    require(whole == read_body(bytes, step, framing, length, true));
    return whole;
}

// As it is sent on: chunks of another size.
void write_body(std::string& out, const Body& body, Framing framing) {
    if (framing != Framing::chunked) {
        out += body.data;
        return;
    }
    for (std::string_view left = body.data; !left.empty();) {
        const std::string_view chunk = left.substr(0, 7);
        out.append(ChunkHead(chunk.size()).view()).append(chunk).append(kChunkEnd);
        left.remove_prefix(chunk.size());
    }
    Headers trailers;
    for (std::string_view left = body.trailers; !left.empty();) {
        const std::string_view line = left.substr(0, left.find('\n'));
        trailers.add(line.substr(0, line.find(':')), line.substr(line.find(':') + 1));
        left.remove_prefix(line.size() + 1);
    }
    write_last_chunk(out, trailers);
}

// ---- heads -----------------------------------------------------------------------------------------------------------------------
std::string meaning(const RequestHead& head) {
    require(is_token(head.method) && head.method.size() <= kMethodMax && is_target_text(head.target));
    require(head.host.empty() ? head.minor == 0 : is_host(head.host));
    require((head.framing == Framing::length) == (head.content_length != 0) && head.framing != Framing::until_close);
    return std::string(head.method) + " " + std::string(head.target) + " " + std::string(head.path) + " " + std::string(head.query) + " " +
           std::string(head.host) + " " + std::to_string(static_cast<int>(head.framing)) + " " + std::to_string(head.content_length) + " " +
           std::to_string(head.expect_continue) + std::to_string(head.upgrade) + std::to_string(head.keep_alive) + "\n" + text_of(head.headers);
}

// Without the reason: an empty one is written as ours.
std::string meaning(const ResponseHead& head) {
    require(head.status >= 100 && head.status <= 999 && is_field_value(head.reason));
    return std::to_string(head.status) + " " + std::to_string(static_cast<int>(head.framing)) + " " +
           std::to_string(head.content_length) + " " + std::to_string(head.keep_alive) + "\n" + text_of(head.headers);
}

void write_start(HeadWriter& writer, const RequestHead& head) { writer.request(head.method, head.target); }
void write_start(HeadWriter& writer, const ResponseHead& head) { writer.status(head.status, head.reason); }

RequestParser make(RequestParser*, std::string_view) { return RequestParser(kLimits); }
ResponseParser make(ResponseParser*, std::string_view method) {
    ResponseParser parser(kLimits);
    parser.expect(method);
    return parser;
}

// Pieces, each time at another place of memory.
template <class Parser>
Progress parse_in_pieces(Parser& parser, std::string_view bytes, std::size_t step, std::string& held) {
    Progress progress = Progress::more;
    for (std::size_t end = std::min(step, bytes.size());; end = std::min(end + step, bytes.size())) {
        held = std::string(bytes.data(), end);
        progress = parser.parse(held);
        if (progress != Progress::more || end == bytes.size()) {
            return progress;
        }
    }
}

template <class Parser>
void check_message(std::string_view bytes, std::size_t step, std::string_view method) {
    Parser whole = make(static_cast<Parser*>(nullptr), method), split = make(static_cast<Parser*>(nullptr), method);
    std::string held;
    const Progress progress = whole.parse(bytes);
    require(progress == parse_in_pieces(split, bytes, step, held) && whole.reject() == split.reject());
    require((progress == Progress::rejected) == (whole.reject() != Reject::none));
    if (progress != Progress::done) {
        return;
    }
    require(whole.size() == split.size() && whole.size() <= bytes.size() && whole.size() <= kLimits.head_bytes_max);
    require(meaning(whole.head()) == meaning(split.head()) && whole.head().headers.size() <= kLimits.headers_max);
    const Framing framing = whole.head().framing;
    const Body body = body_both_ways(bytes.substr(whole.size()), step, framing, whole.head().content_length);
    // What is written is HTTP/1.1, and may have a reason or a space in each field more.
    if (body.progress != Progress::done || whole.head().minor != 1 || whole.size() + kWrittenMore > kLimits.head_bytes_max ||
        body.trailers.size() + kWrittenMore > kLimits.trailer_bytes_max) {
        return;
    }
    std::string text;
    HeadWriter writer(text);
    write_start(writer, whole.head());
    writer.headers(whole.head().headers).end();
    const std::size_t head_size = text.size();
    write_body(text, body, framing);

    Parser again = make(static_cast<Parser*>(nullptr), method);
    require(again.parse(text) == Progress::done && again.size() == head_size && meaning(again.head()) == meaning(whole.head()));
    const Body same = read_body(std::string_view(text).substr(head_size), text.size() + 1, framing, again.head().content_length);
    require(same.progress == Progress::done && same.data == body.data && same.trailers == body.trailers);
    require(same.size == text.size() - head_size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t step = data[0] % 16 + 1U;
    switch (data[0] / 16 % 4) {
        case 0: check_message<ResponseParser>(bytes, step, "GET"); break;
        case 1: check_message<ResponseParser>(bytes, step, data[0] >= 128 ? "HEAD" : "CONNECT"); break;
        case 2: body_both_ways(bytes, step, Framing::chunked, 0); break;
        default: check_message<RequestParser>(bytes, step, ""); break;
    }
    return 0;
}
