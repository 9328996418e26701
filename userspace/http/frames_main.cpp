// SPDX-License-Identifier: Apache-2.0
// How our parsers frame a stream, for a comparison with somebody else's (differential.py). Not installed.
//
// In, again and again: one byte, 'Q' for requests, 'G' or 'H' for answers to GET or HEAD; the size as four bytes, most significant first;
// the stream. Out, for each: a line per message that was read whole, then one that says how it ended, as words in hexadecimal:
//
//     message START-LINE-WORD START-LINE-WORD MINOR FIELDS BODY TRAILERS END     END: bytes of the stream that are used up
//     more | rejected | done
#include <cstdio>
#include <string>

#include "userspace/http/parser.hpp"

using namespace penstock::http;

namespace {

constexpr int kMessagesMax = 16;

std::string hex(std::string_view text) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string result = "-";  // a word, even if there is nothing
    for (const char c : text) {
        result += kDigits[static_cast<unsigned char>(c) >> 4];
        result += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return result;
}

std::string lines_of(const Headers& fields) {
    std::string text;
    for (const Header& field : fields) {
        text += std::string(field.name) + ":" + std::string(field.value) + "\n";
    }
    return text;
}

// Reads one body from the front of `stream`.
Progress read_body(std::string_view& stream, Framing framing, std::uint64_t length, BodyReader& reader, std::string& body) {
    reader.start(framing, length);
    for (;;) {
        const auto piece = reader.next(stream);
        body += piece.data;
        stream.remove_prefix(piece.consumed);
        if (piece.progress != Progress::more) {
            return piece.progress;
        }
        if (stream.empty()) {
            return framing == Framing::until_close ? reader.end() : Progress::more;
        }
    }
}

// A message at the front of `stream`; gives what ends its line of output.
template <class Parser>
Progress read_message(Parser& parser, std::string_view& stream, std::string& rest) {
    if (const Progress progress = parser.parse(stream); progress != Progress::done) {
        return progress;
    }
    const auto& head = parser.head();
    rest = " " + std::to_string(head.minor) + " " + hex(lines_of(head.headers));
    stream.remove_prefix(parser.size());
    BodyReader reader;
    std::string body;
    const Progress progress = read_body(stream, head.framing, head.content_length, reader, body);
    rest += " " + hex(body) + " " + hex(lines_of(reader.trailers()));
    return progress;
}

void frame(char what, std::string_view stream) {
    const std::size_t size = stream.size();
    RequestParser request;
    ResponseParser response;
    response.expect(what == 'H' ? "HEAD" : "GET");
    Progress progress = Progress::done;
    for (int i = 0; i < kMessagesMax && progress == Progress::done && !stream.empty(); ++i) {
        std::string start, rest;
        bool last = false;
        if (what == 'Q') {
            progress = read_message(request, stream, rest);
            start = hex(request.head().method) + " " + hex(request.head().target);
            request.reset();
        } else {
            progress = read_message(response, stream, rest);
            start = std::to_string(response.head().status) + " " + hex(response.head().reason);
            last = !response.head().interim();
            response.reset();
        }
        if (progress == Progress::done) {
            std::printf("message %s%s %zu\n", start.c_str(), rest.c_str(), size - stream.size());
        }
        if (last) {
            break;
        }
    }
    std::puts(progress == Progress::done ? "done" : progress == Progress::more ? "more" : "rejected");
}

}  // namespace

int main() {
    std::string stream;
    for (unsigned char head[5]; std::fread(head, 1, sizeof head, stdin) == sizeof head;) {
        stream.resize(static_cast<std::size_t>(head[1]) << 24 | static_cast<std::size_t>(head[2]) << 16 | static_cast<std::size_t>(head[3]) << 8 | head[4]);
        if (std::fread(stream.data(), 1, stream.size(), stdin) != stream.size()) {
            return 1;
        }
        frame(static_cast<char>(head[0]), stream);
    }
    return 0;
}
