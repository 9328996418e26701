// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"

using namespace penstock::http;

namespace {

struct Outcome {
    Progress progress = Progress::more;
    Reject reject = Reject::none;
    std::size_t size = 0;
    std::string text;  // of the head, for comparison

    bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(RequestParser& parser, Progress progress) {
    Outcome out{progress, parser.reject(), 0, {}};
    if (progress == Progress::done) {
        const RequestHead& head = parser.head();
        out.size = parser.size();
        out.text = std::string(head.method) + "|" + std::string(head.path) + "|" + std::string(head.query) + "|" +
                   std::string(head.host) + "|" + std::to_string(head.minor) + "|" +
                   std::to_string(static_cast<int>(head.framing)) + "|" + std::to_string(head.content_length) + "|" +
                   std::to_string(head.keep_alive);
        for (const Header& field : head.headers) {
            out.text += "|" + std::string(field.name) + "=" + std::string(field.value);
        }
    }
    return out;
}

Outcome parse_whole(const std::string& text, const Limits& limits = {}) {
    RequestParser parser(limits);
    return outcome_of(parser, parser.parse(text));
}

// Byte by byte, each time in another place of memory.
Outcome parse_split(const std::string& text, const Limits& limits = {}) {
    RequestParser parser(limits);
    Progress progress = Progress::more;
    std::string bytes;
    for (std::size_t i = 1; i <= text.size() && progress == Progress::more; i++) {
        bytes = std::string(text.data(), i);
        progress = parser.parse(bytes);
    }
    return outcome_of(parser, progress);
}

std::string request(const std::string& fields, const std::string& line = "GET / HTTP/1.1") {
    return line + "\r\nHost: a.example\r\n" + fields + "\r\n";
}

const std::string kGet = "GET / HTTP/1.1\r\n";
const std::string kHost = "Host: a.example\r\n";

}  // namespace

TEST_CASE("request: what must be refused is refused, whole or byte by byte") {
    struct Row {
        const char* name;
        std::string text;
        Reject reject;
    };
    using enum Reject;
    const std::string nul(1, '\0');
    const std::vector<Row> rows = {
        {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n", bad_line_end},
        {"bare LF after a field", kGet + "Host: a\nX: y\r\n\r\n", bad_line_end},
        {"bare LF as the empty line", kGet + kHost + "\n", bad_line_end},
        {"CR alone as line end", "GET / HTTP/1.1\rHost: a\r\n\r\n", bad_version},
        {"only an LF", "\n", bad_line_end},
        {"LF before CR", "GET / HTTP/1.1\n\rHost: a\r\n\r\n", bad_line_end},
        {"two CRs before the LF", "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", bad_version},
        {"two CRs after a field", request("X: a\r\r\n"), bad_header_value},
        {"an empty line that ends in a bare LF first", "\n" + kGet + kHost + "\r\n", bad_line_end},
        {"a space before the request line", " " + kGet + kHost + "\r\n", bad_method},
        {"two empty lines first", "\r\n\r\n" + kGet + kHost + "\r\n", bad_request_line},
        {"white space only", "   \r\n\r\n", bad_method},
        {"HTTP/0.9", "GET /\r\n", bad_request_line},
        {"no target", "GET HTTP/1.1\r\n" + kHost + "\r\n", bad_request_line},
        {"two spaces", "GET  / HTTP/1.1\r\n" + kHost + "\r\n", bad_request_line},
        {"two spaces before the version", "GET /  HTTP/1.1\r\n" + kHost + "\r\n", bad_version},
        {"a space at the end of the line", "GET / HTTP/1.1 \r\n" + kHost + "\r\n", bad_version},
        {"a tab as delimiter", "GET\t/\tHTTP/1.1\r\n" + kHost + "\r\n", bad_request_line},
        {"a method that is no token", "G(T / HTTP/1.1\r\n" + kHost + "\r\n", bad_method},
        {"a long method", std::string(65, 'A') + " / HTTP/1.1\r\n" + kHost + "\r\n", bad_method},
        {"a method without end", std::string(100000, 'A'), bad_method},
        {"NUL in the target", "GET /" + nul + " HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"encoded NUL", "GET /a%00b HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"a byte above 127 in the target", "GET /caf\xc3\xa9 HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"a fragment", "GET /a#b HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"a backslash", "GET /a\\b HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"asterisk form with GET", "GET * HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"a relative target", "GET a/b HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"an unknown scheme", "GET ftp://a.example/ HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"an absolute target without host", "GET http:/// HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"user information in the target", "GET http://u@a.example/ HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"authority form without port", "CONNECT a.example HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"authority form with a path", "CONNECT a.example:443/ HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"authority form with an empty port", "CONNECT a.example: HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"origin form with CONNECT", "CONNECT / HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"asterisk form with a query", "OPTIONS *?a HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"a scheme without slashes", "GET http:a.example HTTP/1.1\r\n" + kHost + "\r\n", bad_target},
        {"version 9.9", "GET / HTTP/9.9\r\n" + kHost + "\r\n", unknown_version},
        {"version 1.2", "GET / HTTP/1.2\r\n" + kHost + "\r\n", unknown_version},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", unknown_version},
        {"version without minor", "GET / HTTP/1\r\n" + kHost + "\r\n", bad_version},
        {"version with leading zeros", "GET / HTTP/01.01\r\n" + kHost + "\r\n", bad_version},
        {"white space in the version", "GET / HTTP/ 1.1\r\n" + kHost + "\r\n", bad_version},
        {"a lower case protocol", "GET / http/1.1\r\n" + kHost + "\r\n", bad_version},
        {"white space before the first field", kGet + " \r\n" + kHost + "\r\n", folded_header},
        {"a folded field", request("X: a\r\n b\r\n"), folded_header},
        {"a folded field by tab", request("X: a\r\n\tb\r\n"), folded_header},
        {"a space before the colon", request("X : a\r\n"), bad_header_name},
        {"a tab before the colon", request("X\t: a\r\n"), bad_header_name},
        {"an empty name", request(": a\r\n"), bad_header_name},
        {"no colon", request("NoColon\r\n"), bad_header_name},
        {"brackets in a name", request("Bad[Name: a\r\n"), bad_header_name},
        {"a byte above 127 in a name", request("X-T\xc3\xabst: a\r\n"), bad_header_name},
        {"NUL in a name", request("X" + nul + ": a\r\n"), bad_header_name},
        {"an underscore that hides a length", request("Content_Length: 5\r\n"), disguised_framing},
        {"an underscore that hides an encoding", request("Transfer_Encoding: chunked\r\n"), disguised_framing},
        {"NUL in a value", request("X: a" + nul + "b\r\n"), bad_header_value},
        {"CR in a value", request("X: a\rb\r\n"), bad_header_value},
        {"a bell in a value", request("X: a\x07\r\n"), bad_header_value},
        {"DEL in a value", request("X: a\x7f\r\n"), bad_header_value},
        {"an escape in a value", request("X: \x1b[2J\r\n"), bad_header_value},
        {"a name that ends in NUL", request("Content-Length" + nul + ": 5\r\n"), bad_header_name},
        {"a name that begins with a form feed", request("\fContent-Length: 5\r\n"), bad_header_name},
        {"a name in quotes", request("\"Content-Length\": 5\r\n"), bad_header_name},
        {"no Host", kGet + "\r\n", no_host},
        {"two Hosts", request("Host: b.example\r\n"), several_hosts},
        {"the same Host twice", request(kHost), several_hosts},
        {"an empty Host", kGet + "Host: \r\n\r\n", bad_host},
        {"Host with user information", kGet + "Host: u@a.example\r\n\r\n", bad_host},
        {"Host with a path", kGet + "Host: a.example/x\r\n\r\n", bad_host},
        {"a list of Hosts", kGet + "Host: a.example, b.example\r\n\r\n", bad_host},
        {"Host with a long port", kGet + "Host: a.example:65536\r\n\r\n", bad_host},
        {"Host with an empty port", kGet + "Host: a.example:\r\n\r\n", bad_host},
        {"Host with an open bracket", kGet + "Host: [::1\r\n\r\n", bad_host},
        {"Host with more behind its bracket", kGet + "Host: [::1]a\r\n\r\n", bad_host},
        {"Host with a space", kGet + "Host: a b\r\n\r\n", bad_host},
        {"Host with a byte above 127", kGet + "Host: a\xc3\xa9\r\n\r\n", bad_host},
        {"Host with a percent sign", kGet + "Host: a%2eexample\r\n\r\n", bad_host},
        {"Host whose port differs from the target's", "GET http://a.example:80/ HTTP/1.1\r\n" + kHost + "\r\n", host_mismatch},
        {"an absolute target and no Host", "GET http://a.example/ HTTP/1.1\r\n\r\n", no_host},
        {"an absolute target and an empty Host", "GET http://a.example/ HTTP/1.1\r\nHost: \r\n\r\n", bad_host},
        {"Host that differs from the target", "GET http://b.example/ HTTP/1.1\r\n" + kHost + "\r\n", host_mismatch},
        {"a length of letters", request("Content-Length: abc\r\n"), bad_content_length},
        {"an empty length", request("Content-Length: \r\n"), bad_content_length},
        {"a signed length", request("Content-Length: +5\r\n"), bad_content_length},
        {"a negative length", request("Content-Length: -5\r\n"), bad_content_length},
        {"minus zero", request("Content-Length: -0\r\n"), bad_content_length},
        {"a hexadecimal length", request("Content-Length: 0x5\r\n"), bad_content_length},
        {"an octal length", request("Content-Length: 0o5\r\n"), bad_content_length},
        {"leading zeros", request("Content-Length: 0200\r\n"), bad_content_length},
        {"a length with an underscore", request("Content-Length: 1_0\r\n"), bad_content_length},
        {"a length with a space", request("Content-Length: 1 0\r\n"), bad_content_length},
        {"a list of lengths", request("Content-Length: 5, 5\r\n"), bad_content_length},
        {"a length that overflows", request("Content-Length: 99999999999999999999\r\n"), bad_content_length},
        {"a length behind a no-break space", request("Content-Length: \xa0" "5\r\n"), bad_content_length},
        {"a length behind a vertical tab", request("Content-Length: \v5\r\n"), bad_header_value},
        {"a length with a fraction", request("Content-Length: 5.0\r\n"), bad_content_length},
        {"a length of 19 digits", request("Content-Length: 1000000000000000000\r\n"), bad_content_length},
        {"a length in HTTP/1.0 twice", request("Content-Length: 5\r\ncontent-length: 5\r\n", "POST / HTTP/1.0"), several_content_lengths},
        {"two lengths", request("Content-Length: 5\r\nContent-Length: 6\r\n"), several_content_lengths},
        {"the same length twice", request("Content-Length: 5\r\nContent-Length: 5\r\n"), several_content_lengths},
        {"length and encoding", request("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), length_and_encoding},
        {"encoding and length", request("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), length_and_encoding},
        {"encoding in HTTP/1.0", request("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0"), encoding_in_http10},
        {"an empty encoding", request("Transfer-Encoding: \r\n"), bad_transfer_encoding},
        {"chunked twice", request("Transfer-Encoding: chunked, chunked\r\n"), bad_transfer_encoding},
        {"chunked in two fields", request("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), bad_transfer_encoding},
        {"chunked not last", request("Transfer-Encoding: chunked, gzip\r\n"), bad_transfer_encoding},
        {"a comma before chunked", request("Transfer-Encoding: ,chunked\r\n"), bad_transfer_encoding},
        {"a comma behind chunked", request("Transfer-Encoding: chunked,\r\n"), bad_transfer_encoding},
        {"a tab behind chunked", request("Transfer-Encoding: chunked\t\r\n"), bad_transfer_encoding},
        {"a no-break space behind chunked", request("Transfer-Encoding: chunked\xa0\r\n"), bad_transfer_encoding},
        {"chunked in quotes", request("Transfer-Encoding: \"chunked\"\r\n"), bad_transfer_encoding},
        {"chunked with a quality", request("Transfer-Encoding: chunked;q=1\r\n"), bad_transfer_encoding},
        {"two words", request("Transfer-Encoding: x chunked\r\n"), bad_transfer_encoding},
        {"a comma alone", request("Transfer-Encoding: ,\r\n"), bad_transfer_encoding},
        {"chunked, then gzip in a second field", request("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), bad_transfer_encoding},
        {"gzip, then chunked in a second field", request("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), bad_transfer_encoding},
        {"an empty encoding beside a length", request("Transfer-Encoding:\r\nContent-Length: 5\r\n"), length_and_encoding},
        {"an unknown encoding beside a length", request("Transfer-Encoding: x\r\nContent-Length: 5\r\n"), length_and_encoding},
        {"a space behind chunked", request("Transfer-Encoding: chunked \r\n"), bad_transfer_encoding},
        {"chunked with a parameter", request("Transfer-Encoding: chunked;a=b\r\n"), bad_transfer_encoding},
        {"a vertical tab before chunked", request("Transfer-Encoding: \vchunked\r\n"), bad_header_value},
        {"a form feed before chunked", request("Transfer-Encoding: \fchunked\r\n"), bad_header_value},
        {"NUL behind chunked", request("Transfer-Encoding: chunked" + nul + "\r\n"), bad_header_value},
        {"gzip", request("Transfer-Encoding: gzip\r\n"), unknown_transfer_encoding},
        {"gzip, then chunked", request("Transfer-Encoding: gzip, chunked\r\n"), unknown_transfer_encoding},
        {"identity", request("Transfer-Encoding: identity\r\n"), unknown_transfer_encoding},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        const Outcome whole = parse_whole(row.text);
        CHECK(name_of(whole.reject) == name_of(row.reject));
        CHECK(whole.progress == Progress::rejected);
        CHECK(parse_split(row.text) == whole);
    }
}

TEST_CASE("request: what is right is read, whole or byte by byte") {
    struct Row {
        std::string text, want;
    };
    const std::vector<Row> rows = {
        {request(""), "GET|/||a.example|1|0|0|1|Host=a.example"},
        {"\r\n" + request(""), "GET|/||a.example|1|0|0|1|Host=a.example"},
        {request("", "get /a/b?c=d&e HTTP/1.1"), "get|/a/b|c=d&e|a.example|1|0|0|1|Host=a.example"},
        {request("", "GET /? HTTP/1.1"), "GET|/||a.example|1|0|0|1|Host=a.example"},
        {request("", "GET /%2e%2F/x[]{}|^ HTTP/1.1"), "GET|/%2e%2F/x[]{}|^||a.example|1|0|0|1|Host=a.example"},
        {request("", "GET http://A.example/x HTTP/1.1"), "GET|/x||a.example|1|0|0|1|Host=a.example"},
        {request("", "GET HTTP://a.example?q HTTP/1.1"), "GET|/|q|a.example|1|0|0|1|Host=a.example"},
        {request("", "OPTIONS * HTTP/1.1"), "OPTIONS|*||a.example|1|0|0|1|Host=a.example"},
        {request("", "CONNECT b.example:443 HTTP/1.1"), "CONNECT|||b.example:443|1|0|0|1|Host=a.example"},
        {"GET / HTTP/1.0\r\n\r\n", "GET|/|||0|0|0|0"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET|/|||0|0|0|1|Connection=Keep-Alive"},
        {kGet + "Host: [2001:db8::1]:8080\r\n\r\n", "GET|/||[2001:db8::1]:8080|1|0|0|1|Host=[2001:db8::1]:8080"},
        {kGet + "hOsT:\ta_b.example:80 \t\r\n\r\n", "GET|/||a_b.example:80|1|0|0|1|hOsT=a_b.example:80"},
        {request("Content-Length: 5\r\n", "POST / HTTP/1.1"), "POST|/||a.example|1|1|5|1|Host=a.example|Content-Length=5"},
        {request("Content-Length:\t0  \r\n"), "GET|/||a.example|1|0|0|1|Host=a.example|Content-Length=0"},
        {request("transfer-encoding: Chunked\r\n"), "GET|/||a.example|1|2|0|1|Host=a.example|transfer-encoding=Chunked"},
        {request("Transfer-Encoding:\t chunked\r\n"), "GET|/||a.example|1|2|0|1|Host=a.example|Transfer-Encoding=chunked"},
        {request("Content-Length: 5\r\n", "POST / HTTP/1.0"), "POST|/||a.example|0|1|5|0|Host=a.example|Content-Length=5"},
        {request("Content-Length: 999999999999999999\r\n"),
         "GET|/||a.example|1|1|999999999999999999|1|Host=a.example|Content-Length=999999999999999999"},
        {"GET http://b.example/x HTTP/1.0\r\n\r\n", "GET|/x||b.example|0|0|0|0"},
        {request("Connection: keep-alive, CLOSE\r\n"), "GET|/||a.example|1|0|0|0|Host=a.example|Connection=keep-alive, CLOSE"},
        {request("Connection: x\r\nConnection: close\r\n"), "GET|/||a.example|1|0|0|0|Host=a.example|Connection=x|Connection=close"},
        {request("Connection: closed\r\n"), "GET|/||a.example|1|0|0|1|Host=a.example|Connection=closed"},
        {request("X_Y: 1\r\nContent_Type: a\r\n"), "GET|/||a.example|1|0|0|1|Host=a.example|X_Y=1|Content_Type=a"},
        {request("", "GET /%0d%0aX:%20y HTTP/1.1"), "GET|/%0d%0aX:%20y||a.example|1|0|0|1|Host=a.example"},
        {request("", "GET //b.example/x HTTP/1.1"), "GET|//b.example/x||a.example|1|0|0|1|Host=a.example"},
        {request("Connection: x, close\r\n"), "GET|/||a.example|1|0|0|0|Host=a.example|Connection=x, close"},
        {request("X: \r\nY:caf\xc3\xa9 \"q\"\r\n"), "GET|/||a.example|1|0|0|1|Host=a.example|X=|Y=caf\xc3\xa9 \"q\""},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const Outcome whole = parse_whole(row.text + "next");
        CHECK(whole.progress == Progress::done);
        CHECK(name_of(whole.reject) == "none");
        CHECK(whole.text == row.want);
        CHECK(whole.size == row.text.size());
        CHECK(parse_split(row.text) == whole);
    }
}

TEST_CASE("request: limits strike with their own reasons, at the same byte however it was cut") {
    const Limits limits{.head_bytes_max = 200, .headers_max = 3};
    struct Row {
        std::string text;
        Reject reject;
    };
    const std::vector<Row> rows = {
        {"GET /" + std::string(300, 'a') + " HTTP/1.1\r\n" + kHost + "\r\n", Reject::target_too_long},
        {request("X: " + std::string(300, 'a') + "\r\n"), Reject::head_too_large},
        {request(std::string(300, 'a') + ": b\r\n"), Reject::head_too_large},
        {request("A: 1\r\nB: 2\r\nC: 3\r\n"), Reject::too_many_headers},
        {request("A: 1\r\nB: 2\r\n"), Reject::none},
    };
    for (const Row& row : rows) {
        INFO(row.text);
        const Outcome whole = parse_whole(row.text, limits);
        CHECK(name_of(whole.reject) == name_of(row.reject));
        CHECK(parse_split(row.text, limits) == whole);
    }
    for (std::size_t size = 1; size < 250; size++) {
        const std::string text = kGet + "Host: a\r\nX: " + std::string(size, 'x') + "\r\n\r\n";
        const Outcome whole = parse_whole(text, limits);
        CHECK((whole.progress == Progress::done) == (text.size() <= 200));
        CHECK(parse_split(text, limits) == whole);
    }
}

TEST_CASE("request: a parser serves one message after another") {
    RequestParser parser;
    const std::string first = request("Expect: 100-Continue\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n");
    REQUIRE(parser.parse(first) == Progress::done);
    CHECK(parser.head().expect_continue);
    CHECK(parser.head().upgrade);
    parser.reset();
    const std::string second = request("", "PUT /x HTTP/1.1");
    REQUIRE(parser.parse(second) == Progress::done);
    CHECK_FALSE(parser.head().expect_continue);
    CHECK_FALSE(parser.head().upgrade);
    CHECK(parser.head().method == "PUT");
    parser.reset();
    CHECK(parser.parse("G T\r\n") == Progress::rejected);
    CHECK(parser.parse("G T\r\n") == Progress::rejected);
    parser.reset();
    CHECK(parser.parse(second) == Progress::done);
}

TEST_CASE("headers: names compare without case, lists are searched, fields are set and removed in place") {
    Headers headers;
    headers.add("Accept", "a");
    headers.add("cookie", "x=1");
    headers.add("ACCEPT", "b");
    headers.add("Cookie", "y=2");
    CHECK(headers.find("accept") == "a");
    std::string room;
    CHECK(headers.joined("accept", room) == "a, b");
    CHECK(headers.joined("Cookie", room) == "x=1; y=2");
    CHECK_FALSE(headers.joined("missing", room).has_value());
    Headers single;
    single.add("Host", "a");
    CHECK(single.joined("host", room)->data() == single.find("host")->data());  // one field is not copied
    CHECK(headers.count("Accept") == 2);
    headers.set("accept", "c");
    CHECK(headers.size() == 3);
    CHECK(headers.begin()->value == "c");
    headers.set("New", "d");
    CHECK(headers.find("new") == "d");
    headers.remove("COOKIE");
    CHECK_FALSE(headers.has("cookie"));
    headers.add("Vary", "Accept , ,Origin");
    CHECK(headers.has_token("vary", "origin"));
    CHECK_FALSE(headers.has_token("vary", "acc"));
}

TEST_CASE("headers: hop-by-hop fields go, with what Connection names, but never Host or the length") {
    Headers headers;
    for (const char* name : {"Host", "Connection", "Keep-Alive", "X-Named", "TE", "Upgrade", "Content-Length", "X-Kept",
                             "Proxy-Connection", "Transfer-Encoding", "Trailer"}) {
        headers.add(name, std::string_view(name) == "Connection" ? "close, x-named, host, CONTENT-LENGTH" : "v");
    }
    headers.remove_hop_by_hop();
    std::string left;
    for (const Header& field : headers) {
        left += std::string(field.name) + " ";
    }
    CHECK(left == "Host Content-Length X-Kept Trailer ");
}
