// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"
#include "userspace/http/writer.hpp"

using namespace penstock::http;

namespace {

struct Outcome {
    Progress progress = Progress::more;
    Reject reject = Reject::none;
    std::string data, trailers;
    std::size_t consumed = 0;

    bool operator==(const Outcome&) const = default;
};

// Feeds pieces of `step` bytes; what was not consumed comes again with the next piece.
Outcome read(const std::string& text, std::size_t step, Framing framing, std::uint64_t length = 0, const Limits& limits = {}) {
    BodyReader reader(limits);
    reader.start(framing, length);
    Outcome out;
    std::string held;
    for (std::size_t at = 0; at < text.size() && out.progress == Progress::more; at += step) {
        held += text.substr(at, step);
        for (bool again = true; again && out.progress == Progress::more;) {
            const auto piece = reader.next(held);
            out.progress = piece.progress;
            out.data += piece.data;
            out.consumed += piece.consumed;
            held.erase(0, piece.consumed);
            again = piece.consumed != 0 && !held.empty();
        }
    }
    out.reject = reader.reject();
    if (out.progress == Progress::rejected) {
        out.data.clear();  // how much came before depends on the cuts
        out.consumed = 0;
    }
    for (const Header& field : reader.trailers()) {
        out.trailers += std::string(field.name) + "=" + std::string(field.value) + ";";
    }
    return out;
}

}  // namespace

TEST_CASE("body: chunks are read or refused alike however they were cut") {
    struct Row {
        const char* name;
        std::string text;
        Reject reject;
        std::string data, trailers;
    };
    using enum Reject;
    const std::string nul(1, '\0');
    const std::vector<Row> rows = {
        {"one chunk", "5\r\nhello\r\n0\r\n\r\n", none, "hello", ""},
        {"several", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", none, "hello world", ""},
        {"none", "0\r\n\r\n", none, "", ""},
        {"upper case", "A\r\n0123456789\r\n0\r\n\r\n", none, "0123456789", ""},
        {"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", none, "hello", ""},
        {"an extension", "5;a=b;c;d=\"x\\\"y;z\"\r\nhello\r\n0;last\r\n\r\n", none, "hello", ""},
        {"trailers", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nY: \r\n\r\n", none, "hello", "X-Sum=1;Y=;"},
        {"trailers that are not for there", "0\r\nHost: b\r\nX: 1\r\nContent-Length: 5\r\ntransfer-encoding: x\r\n\r\n", none, "", "X=1;"},
        {"no digits", "\r\nhello\r\n", bad_chunk, "", ""},
        {"0x", "0x5\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a sign", "-1\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"an underscore", "1_0\r\nhellohellohellox\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a leading space", " 5\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a trailing space", "5 \r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"too many digits", "FFFFFFFFFFFFFFFF0\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a bare LF after the size", "5\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a bare CR after the size", "5\rhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a bare LF after the data", "5\r\nhello\n0\r\n\r\n", bad_chunk, "", ""},
        {"nothing after the data", "5\r\nhello0\r\n\r\n", bad_chunk, "", ""},
        {"more data than said", "5\r\nhelloxx\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a semicolon alone", "5;\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"NUL in an extension", "5;a" + nul + "b\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"an open quote", "5;a=\"b\r\nhello\r\n0\r\n\r\n", bad_chunk, "", ""},
        {"a long extension", "5;a=" + std::string(70000, 'a') + "\r\nhello\r\n0\r\n\r\n", chunk_extensions_too_long, "", ""},
        {"a bare LF ends the trailers", "0\r\n\n", bad_trailer, "", ""},
        {"a bare LF in the trailers", "0\r\nX: 1\n\r\n", bad_trailer, "", ""},
        {"a folded trailer", "0\r\nX: 1\r\n 2\r\n\r\n", bad_trailer, "", ""},
        {"a trailer without colon", "0\r\nX\r\n\r\n", bad_trailer, "", ""},
        {"trailers without end", "0\r\nX: " + std::string(20000, 'x') + "\r\n\r\n", trailers_too_large, "", ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Outcome whole = read(row.text + (row.reject == none ? "GET" : ""), 1 << 20, Framing::chunked);
        CHECK(name_of(whole.reject) == name_of(row.reject));
        CHECK(whole.progress == (row.reject == none ? Progress::done : Progress::rejected));
        CHECK(whole.data == row.data);
        CHECK(whole.trailers == row.trailers);
        CHECK(whole.consumed == (row.reject == none ? row.text.size() : 0));
        for (const std::size_t step : {1, 2, 3, 7}) {
            const Outcome split = read(row.text, step, Framing::chunked);
            CHECK(split.progress == whole.progress);
            CHECK(name_of(split.reject) == name_of(whole.reject));
            CHECK(split.data == whole.data);
            CHECK(split.trailers == whole.trailers);
        }
    }
}

TEST_CASE("body: a length is read to its last byte and no further") {
    for (const std::size_t step : {1, 2, 100}) {
        const Outcome out = read("helloGET", step, Framing::length, 5);
        CHECK(out.progress == Progress::done);
        CHECK(out.data == "hello");
        CHECK(out.consumed == 5);
    }
    BodyReader reader;
    reader.start(Framing::length, 5);
    CHECK(reader.next("hel").progress == Progress::more);
    CHECK(reader.end() == Progress::more);
    CHECK_FALSE(reader.complete());
    CHECK(reader.received() == 3);
}

TEST_CASE("body: one without framing lasts until the stream ends, one that is absent is complete") {
    BodyReader reader;
    reader.start(Framing::until_close, 0);
    CHECK(reader.next("abc").data == "abc");
    CHECK_FALSE(reader.complete());
    CHECK(reader.end() == Progress::done);
    reader.start(Framing::none, 0);
    CHECK(reader.complete());
    const auto piece = reader.next("GET");
    CHECK(piece.progress == Progress::done);
    CHECK(piece.consumed == 0);
}

TEST_CASE("body: the limit holds for lengths, chunks and streams") {
    const Limits limits{.body_bytes_max = 10};
    CHECK(read("x", 1, Framing::length, 11, limits).reject == Reject::body_too_large);
    CHECK(read(std::string(10, 'x'), 3, Framing::length, 10, limits).progress == Progress::done);
    CHECK(read("b\r\n", 1, Framing::chunked, 0, limits).reject == Reject::body_too_large);
    CHECK(read("5\r\nhello\r\n6\r\n world\r\n", 4, Framing::chunked, 0, limits).reject == Reject::body_too_large);
    CHECK(read("5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n", 4, Framing::chunked, 0, limits).progress == Progress::done);
    CHECK(read(std::string(11, 'x'), 3, Framing::until_close, 0, limits).reject == Reject::body_too_large);
}

TEST_CASE("body: what need not be seen ends where the length or the limit does; chunks are seen") {
    BodyReader reader(Limits{.body_bytes_max = 10});
    reader.start(Framing::length, 5);
    CHECK(reader.run() == 5);
    CHECK(reader.next("he").data == "he");
    CHECK(reader.run() == 3);
    reader.pass(2);
    CHECK(reader.run() == 1);
    CHECK_FALSE(reader.complete());
    reader.pass(1);
    CHECK(reader.complete());
    CHECK(reader.received() == 5);
    CHECK(reader.run() == 0);

    reader.start(Framing::until_close, 0);
    CHECK(reader.run() == 10);
    reader.pass(10);
    CHECK(reader.run() == 0);
    CHECK(reader.next("x").progress == Progress::rejected);
    CHECK(reader.run() == 0);

    reader.start(Framing::chunked, 0);
    CHECK(reader.next("5\r\nhe").data == "he");
    CHECK(reader.run() == 0);
}

TEST_CASE("body: what the writer makes of chunks and trailers is read back") {
    std::string text;
    for (const std::string chunk : {"a", "0123456789abcdef", "z"}) {
        text += std::string(ChunkHead(chunk.size()).view()) + chunk + std::string(kChunkEnd);
    }
    Headers trailers;
    trailers.add("X-Sum", "17");
    write_last_chunk(text, trailers);
    const Outcome out = read(text, 5, Framing::chunked);
    CHECK(out.data == "a0123456789abcdefz");
    CHECK(out.trailers == "X-Sum=17;");
    CHECK(out.progress == Progress::done);
}
