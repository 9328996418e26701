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
    int status = 0;
    std::string reason;
    Framing framing = Framing::none;
    std::uint64_t length = 0;
    bool keep_alive = false;
    std::size_t size = 0;

    bool operator==(const Outcome&) const = default;
};

Outcome parse(const std::string& text, const std::string& method, bool split) {
    ResponseParser parser;
    parser.expect(method);
    Progress progress = Progress::more;
    std::string bytes;
    for (std::size_t i = split ? 1 : text.size(); i <= text.size() && progress == Progress::more; i++) {
        bytes = std::string(text.data(), i);
        progress = parser.parse(bytes);
    }
    Outcome out{.progress = progress, .reject = parser.reject()};
    if (progress == Progress::done) {
        const ResponseHead& head = parser.head();
        out.status = head.status;
        out.reason = head.reason;
        out.framing = head.framing;
        out.length = head.content_length;
        out.keep_alive = head.keep_alive;
        out.size = parser.size();
    }
    return out;
}

}  // namespace

TEST_CASE("response: framing follows the status, the request's method and the fields") {
    struct Row {
        const char* method;
        std::string text;
        int status;
        const char* reason;
        Framing framing;
        std::uint64_t length;
        bool keep_alive;
    };
    using enum Framing;
    const std::vector<Row> rows = {
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "OK", Framing::length, 5, true},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "OK", none, 0, true},
        {"GET", "HTTP/1.1 200 \r\ntransfer-encoding: Chunked\r\n\r\n", 200, "", chunked, 0, true},
        {"GET", "HTTP/1.1 200\r\n\r\n", 200, "", until_close, 0, false},
        {"GET", "HTTP/1.1 404 Not here\r\nContent-Length: 3\r\nConnection: close\r\n\r\n", 404, "Not here", Framing::length, 3, false},
        {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", 200, "OK", Framing::length, 3, false},
        {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\n", 200, "OK", Framing::length, 3, true},
        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "OK", none, 5, true},
        {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "OK", none, 0, true},
        {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "Not Modified", none, 5, true},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "No Content", none, 0, true},
        {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "No Content", none, 0, true},
        {"GET", "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", 204, "No Content", none, 2, false},
        {"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", 204, "No Content", none, 0, false},
        {"GET", "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n", 100, "Continue", none, 0, true},
        {"GET", "HTTP/1.1 100 Continue\r\n\r\n", 100, "Continue", none, 0, true},
        {"GET", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "Switching Protocols", until_close, 0, false},
        {"CONNECT", "HTTP/1.1 200 OK\r\n\r\n", 200, "OK", until_close, 0, false},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const Outcome want{Progress::done, Reject::none, row.status, row.reason, row.framing, row.length, row.keep_alive, row.text.size()};
        CHECK(parse(row.text, row.method, false) == want);
        CHECK(parse(row.text, row.method, true) == want);
    }
}

TEST_CASE("response: a head that could be read in two ways is refused") {
    struct Row {
        std::string text;
        Reject reject;
    };
    using enum Reject;
    const std::vector<Row> rows = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5,5\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n", bad_response},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\r\nContent_Length: 5\r\n\r\n", disguised_framing},
        {"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", bad_header_value},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1 200OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1 +20 OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", bad_response},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", bad_response},
        {"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", bad_response},
        {"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n", bad_response},
        {"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\n\r\n", bad_response},
        {"HTTP/1.1 200 OK\nContent-Length: 5\n\n", bad_line_end},
        {"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", folded_header},
        {"HTTP/1.1 200 OK\r\nX : a\r\n\r\n", bad_header_name},
        {"HTTP/1.1 20 OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1 099 OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1 2000 OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1  200 OK\r\n\r\n", bad_status_line},
        {"HTTP/2.0 200 OK\r\n\r\n", bad_status_line},
        {"HTTP/1.1 200 O\rK\r\n\r\n", bad_status_line},
        {"ICY 200 OK\r\n\r\n", bad_status_line},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        CHECK(name_of(parse(row.text, "GET", false).reject) == name_of(row.reject));
        CHECK(name_of(parse(row.text, "GET", true).reject) == name_of(row.reject));
    }
}

TEST_CASE("writer: a head that was written is read back") {
    std::string text;
    Headers more;
    more.add("X-A", "1");
    more.add("X-B", "");
    HeadWriter(text).status(503).header("Server", "penstock").headers(more).framing(Framing::length, 7).end();
    CHECK(text == "HTTP/1.1 503 Service Unavailable\r\nServer: penstock\r\nX-A: 1\r\nX-B: \r\nContent-Length: 7\r\n\r\n");
    CHECK(parse(text, "GET", false).length == 7);
    text.clear();
    HeadWriter(text).request("GET", "/a?b").header("Host", "a.example").framing(Framing::chunked, 0).end();
    RequestParser parser;
    REQUIRE(parser.parse(text) == Progress::done);
    CHECK(parser.head().framing == Framing::chunked);
    CHECK(parser.head().query == "b");
}
