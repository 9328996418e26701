// SPDX-License-Identifier: Apache-2.0
// Heads that HTTP/2 can carry and HTTP/1 must not get. Each row goes through a whole session, in one piece and byte by byte.
#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"
#include "userspace/http/test_h2.hpp"
#include "userspace/http/writer.hpp"

using namespace penstock::http;
using namespace penstock::http::testing;

namespace {

Reject verdict_of(Side& server, const std::string& bytes, std::size_t step) {
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        REQUIRE(server.feed(std::string_view(bytes).substr(at, step)));
    }
    server.output();
    REQUIRE(server.session.fault() == H2Fault::none);
    REQUIRE(server.owner.streams.size() == 1);
    return server.stream(1).refused;
}

Reject verdict_of(const Fields& fields, unsigned flags = kEndStream | kEndHeaders, const H2Settings& settings = {}) {
    const std::string bytes = preface() + headers(1, fields, flags);
    Side whole(H2Role::server, settings), split(H2Role::server, settings);
    const Reject verdict = verdict_of(whole, bytes, bytes.size());
    CHECK(verdict == verdict_of(split, bytes, 1));
    return verdict;
}

// `get()` with one field changed, or left out.
Fields with(const std::string& name, const std::string& value) {
    Fields fields = get();
    for (auto& field : fields) {
        if (field.first == name) {
            field.second = value;
        }
    }
    return fields;
}

Fields without(const std::string& name) {
    Fields fields = get();
    std::erase_if(fields, [&name](const auto& field) { return field.first == name; });
    return fields;
}

}  // namespace

TEST_CASE("h2 head: what HTTP/1 could read in two ways is refused") {
    struct Row {
        const char* name;
        Fields fields;
        Reject reject;
    };
    using enum Reject;
    const std::string nul(1, '\0');
    const Fields connect = {{":method", "CONNECT"}, {":authority", "a.example:443"}};
    const Fields extended = {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "a.example"}, {":path", "/chat"}};
    const auto plus = [](Fields fields, const Fields& more) {
        fields.insert(fields.end(), more.begin(), more.end());
        return fields;
    };
    const std::vector<Row> rows = {
        {"a plain request", get(), none},
        {"a query", get("/a/b?c=d&e"), none},
        {"OPTIONS *", {{":method", "OPTIONS"}, {":scheme", "https"}, {":authority", "a"}, {":path", "*"}}, none},
        {"host instead of :authority", plus(without(":authority"), {{"host", "a.example"}}), none},
        {"host beside the same :authority", get("/", {{"host", "A.example"}}), none},
        {"scheme http", with(":scheme", "http"), none},
        {"te: trailers", get("/", {{"te", "trailers"}}), none},
        {"an empty value", get("/", {{"x", ""}}), none},
        {"obs-text in a value", get("/", {{"x", "\xc3\xa4"}}), none},
        {"crumbs of cookies", get("/", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}}), none},
        {"CONNECT", connect, none},
        {"extended CONNECT", extended, none},
        {"content-length 0 and no body", get("/", {{"content-length", "0"}}), none},

        {"no :method", without(":method"), bad_pseudo_header},
        {"no :scheme", without(":scheme"), bad_pseudo_header},
        {"no :path", without(":path"), bad_pseudo_header},
        {"two methods", get("/", {{":method", "POST"}}), bad_pseudo_header},
        {"two paths", plus({{":path", "/"}}, get()), bad_pseudo_header},
        {"two authorities", plus({{":authority", "b"}}, get()), bad_pseudo_header},
        {"an unknown pseudo-header field", plus({{":version", "2"}}, get()), bad_pseudo_header},
        {"a field named :", plus({{":", "x"}}, get()), bad_pseudo_header},
        {":status in a request", plus({{":status", "200"}}, get()), bad_pseudo_header},
        {"a pseudo-header field after a field", plus({{"x", "y"}}, get()), bad_pseudo_header},
        {":Path", plus(without(":path"), {{":Path", "/"}}), bad_pseudo_header},
        {":protocol without CONNECT", plus({{":protocol", "websocket"}}, get()), bad_pseudo_header},
        {"CONNECT with a path", plus({{":path", "/"}}, connect), bad_pseudo_header},
        {"CONNECT with a scheme", plus({{":scheme", "https"}}, connect), bad_pseudo_header},
        {"CONNECT without authority", {{":method", "CONNECT"}, {"host", "a:1"}}, bad_pseudo_header},
        {"extended CONNECT without authority", {{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":path", "/"}, {"host", "a"}}, bad_pseudo_header},
        {"a protocol that is no token", {{":method", "CONNECT"}, {":protocol", "web socket"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, bad_pseudo_header},

        {"an empty method", with(":method", ""), bad_method},
        {"a space in the method", with(":method", "GET /admin HTTP/1.1"), bad_method},
        {"CR LF in the method", with(":method", "GET\r\nX: y"), bad_method},
        {"a method of 65 letters", with(":method", std::string(65, 'A')), bad_method},
        {"a method of 64 letters", with(":method", std::string(64, 'A')), none},
        {"an empty path", with(":path", ""), bad_target},
        {"a path without a slash", with(":path", "a"), bad_target},
        {"an absolute path", with(":path", "http://b.example/"), bad_target},
        {"* for GET", with(":path", "*"), bad_target},
        {"OPTIONS *a", {{":method", "OPTIONS"}, {":scheme", "https"}, {":authority", "a"}, {":path", "*a"}}, bad_target},
        {"a space in the path", with(":path", "/a HTTP/1.1"), bad_target},
        {"CR LF in the path", with(":path", "/ HTTP/1.1\r\nhost: b\r\n\r\nGET /admin"), bad_target},
        {"NUL in the path", with(":path", "/a" + nul), bad_target},
        {"%00 in the path", with(":path", "/a%00"), bad_target},
        {"a fragment", with(":path", "/a#b"), bad_target},
        {"a backslash", with(":path", "/a\\b"), bad_target},
        {"not ASCII", with(":path", "/\xc3\xa4"), bad_target},
        {"a tab in the path", with(":path", "/a\tb"), bad_target},
        {"CONNECT without port", {{":method", "CONNECT"}, {":authority", "a.example"}}, bad_target},
        {"CONNECT to an address without port", {{":method", "CONNECT"}, {":authority", "[::1]"}}, bad_target},
        {"scheme ftp", with(":scheme", "ftp"), bad_scheme},
        {"an empty scheme", with(":scheme", ""), bad_scheme},
        {"a scheme that splits lines", with(":scheme", "https://b\r\nx: y\r\n"), bad_scheme},

        {"no host at all", without(":authority"), no_host},
        {"an empty authority", with(":authority", ""), bad_host},
        {"an authority with user information", with(":authority", "u@a.example"), bad_host},
        {"an authority with a path", with(":authority", "a.example/b"), bad_host},
        {"CR LF in the authority", with(":authority", "a\r\nx: y"), bad_host},
        {"a port beyond", with(":authority", "a:65536"), bad_host},
        {"host differs", get("/", {{"host", "b.example"}}), host_mismatch},
        {"host differs by its port", get("/", {{"host", "a.example:443"}}), host_mismatch},
        {"host is none", get("/", {{"host", "a b"}}), bad_host},
        {"two hosts", get("/", {{"host", "a.example"}, {"host", "a.example"}}), several_hosts},

        {"an upper case name", get("/", {{"X-Name", "y"}}), bad_header_name},
        {"an empty name", get("/", {{"", "y"}}), bad_header_name},
        {"a space in a name", get("/", {{"a b", "y"}}), bad_header_name},
        {"a colon in a name", get("/", {{"x:y", "z"}}), bad_header_name},
        {"CR LF in a name", get("/", {{"x: y\r\ntransfer-encoding", "chunked"}}), bad_header_name},
        {"NUL in a name", get("/", {{"x" + nul, "y"}}), bad_header_name},
        {"not ASCII in a name", get("/", {{"\xc3\xa4", "y"}}), bad_header_name},
        {"content_length", get("/", {{"content_length", "5"}}), disguised_framing},
        {"transfer_encoding", get("/", {{"transfer_encoding", "chunked"}}), disguised_framing},
        {"CR LF in a value", get("/", {{"x", "y\r\ntransfer-encoding: chunked"}}), bad_header_value},
        {"LF in a value", get("/", {{"x", "y\nz: 1"}}), bad_header_value},
        {"CR in a value", get("/", {{"x", "y\rz"}}), bad_header_value},
        {"NUL in a value", get("/", {{"x", "y" + nul + "z"}}), bad_header_value},
        {"DEL in a value", get("/", {{"x", "y\x7f"}}), bad_header_value},
        {"a value that begins with a space", get("/", {{"x", " y"}}), bad_header_value},
        {"a value that ends with a tab", get("/", {{"x", "y\t"}}), bad_header_value},

        {"transfer-encoding", get("/", {{"transfer-encoding", "chunked"}}), connection_field},
        {"connection", get("/", {{"connection", "close"}}), connection_field},
        {"keep-alive", get("/", {{"keep-alive", "1"}}), connection_field},
        {"proxy-connection", get("/", {{"proxy-connection", "close"}}), connection_field},
        {"upgrade", get("/", {{"upgrade", "websocket"}}), connection_field},
        {"te: gzip", get("/", {{"te", "gzip"}}), connection_field},
        {"te: trailers, gzip", get("/", {{"te", "trailers, gzip"}}), connection_field},

        {"content-length of letters", get("/", {{"content-length", "1a"}}), bad_content_length},
        {"content-length with a sign", get("/", {{"content-length", "+1"}}), bad_content_length},
        {"content-length empty", get("/", {{"content-length", ""}}), bad_content_length},
        {"content-length with a leading zero", get("/", {{"content-length", "01"}}), bad_content_length},
        {"a list in content-length", get("/", {{"content-length", "1, 1"}}), bad_content_length},
        {"a huge content-length", get("/", {{"content-length", "18446744073709551616"}}), bad_content_length},
        {"two lengths", get("/", {{"content-length", "0"}, {"content-length", "0"}}), several_content_lengths},
        {"content-length in CONNECT", plus(connect, {{"content-length", "0"}}), bad_content_length},
        {"content-length in extended CONNECT", plus(extended, {{"content-length", "5"}}), bad_content_length},
        {"a length and no body", get("/", {{"content-length", "5"}}), length_mismatch},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(name_of(verdict_of(row.fields)) == name_of(row.reject));
    }
    H2Settings no_tunnels;
    no_tunnels.connect_protocol = false;
    CHECK(verdict_of(extended, kEndHeaders, no_tunnels) == bad_pseudo_header);
}

TEST_CASE("h2 head: limits are those of HTTP/1") {
    H2Settings settings;
    settings.limits = {.head_bytes_max = 1024, .headers_max = 5};
    Fields five, six;
    for (int i = 0; i < 6; i++) {
        (i < 5 ? five : six).push_back({"x" + std::to_string(i), "y"});
    }
    six.insert(six.end(), five.begin(), five.end());
    CHECK(verdict_of(get("/", five), kEndStream | kEndHeaders, settings) == Reject::none);
    CHECK(verdict_of(get("/", six), kEndStream | kEndHeaders, settings) == Reject::too_many_headers);
    CHECK(verdict_of(get("/", {{"x", std::string(1000, 'y')}}), kEndStream | kEndHeaders, settings) == Reject::head_too_large);
    CHECK(verdict_of(get("/" + std::string(1000, 'y')), kEndStream | kEndHeaders, settings) == Reject::head_too_large);
}

TEST_CASE("h2 head: a refused request can be answered, and its body is dropped") {
    Side server;
    server.feed(preface() + headers(1, get("/", {{"X", "y"}}), kEndHeaders));
    REQUIRE(server.stream(1).refused == Reject::bad_header_name);
    server.stream(1).stream->respond(400, {}, true);
    server.stream(1).release();
    server.feed(frame(kData, 0, 1, "body"));
    const auto frames = server.frames();
    CHECK(find(frames, kHeaders, 1) != nullptr);
    const Frame* reset = find(frames, kRst, 1);
    REQUIRE(reset != nullptr);
    CHECK(reset->word(0) == 0);
    CHECK(server.session.streams() == 0);
    server.feed(headers(3, get()));
    CHECK(server.owner.streams.size() == 2);
}

TEST_CASE("h2 head: a body must be as long as its head says, and trailers are held to the rules of fields") {
    struct Row {
        const char* name;
        Fields head;
        std::string rest;
        Reject reject;
    };
    using enum Reject;
    const Fields five = get("/", {{"content-length", "5"}}), open = get();
    const std::vector<Row> rows = {
        {"as long", five, frame(kData, 0, 1, "12") + frame(kData, kEndStream, 1, "345"), none},
        {"as long, with padding", five, frame(kData, kPadded | kEndStream, 1, "\x02""12345\0\0"s), none},
        {"as long, with trailers", five, frame(kData, 0, 1, "12345") + headers(1, {{"x", "y"}}), none},
        {"of unknown length", open, frame(kData, kEndStream, 1, "12"), none},
        {"too short", five, frame(kData, kEndStream, 1, "1234"), length_mismatch},
        {"too short, with trailers", five, headers(1, {{"x", "y"}}), length_mismatch},
        {"too long", five, frame(kData, 0, 1, "123456"), length_mismatch},
        {"too long by a second frame", five, frame(kData, 0, 1, "12345") + frame(kData, 0, 1, "6"), length_mismatch},
        {"something where nothing was announced", get("/", {{"content-length", "0"}}), frame(kData, 0, 1, "x"), length_mismatch},
        {"trailers that end nothing", open, headers(1, {{"x", "y"}}, kEndHeaders), bad_trailer},
        {"a pseudo-header field in trailers", open, headers(1, {{":path", "/b"}}), bad_trailer},
        {"a connection field in trailers", open, headers(1, {{"transfer-encoding", "chunked"}}), bad_trailer},
        {"CR LF in trailers", open, headers(1, {{"x", "y\r\nz: 1"}}), bad_trailer},
        {"too many trailers", open, headers(1, Fields(101, {"x", "y"})), trailers_too_large},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Side server;
        server.feed(preface() + headers(1, row.head, kEndHeaders) + row.rest);
        Listener& stream = server.stream(1);
        CHECK(name_of(stream.reset.reject) == name_of(row.reject));
        CHECK(stream.ended == (row.reject == none));
        const auto frames = server.frames();
        const Frame* reset = find(frames, kRst, 1);
        REQUIRE((reset != nullptr) == (row.reject != none));
        CHECK((reset == nullptr || reset->word(0) == 1));
        CHECK(server.session.fault() == H2Fault::none);
    }
}

TEST_CASE("h2 head: fields that must not stand in trailers are left out") {
    Side server;
    server.feed(preface() + headers(1, get(), kEndHeaders) + headers(1, {{"content-length", "7"}, {"grpc-status", "0"}, {"host", "b"}}));
    CHECK(server.stream(1).trailers.fields.size() == 1);
    CHECK(server.stream(1).trailers.fields.find("grpc-status") == "0");
}

TEST_CASE("h2 head: a client refuses what a server must not answer") {
    struct Row {
        const char* name;
        std::string method;
        std::string frames;
        Reject reject;
    };
    using enum Reject;
    const auto head = [](const Fields& fields, bool end = true) { return headers(1, fields, kEndHeaders | (end ? kEndStream : 0U)); };
    const std::vector<Row> rows = {
        {"200", "GET", head({{":status", "200"}}), none},
        {"103 and 200", "GET", head({{":status", "103"}, {"link", "x"}}, false) + head({{":status", "200"}}), none},
        {"HEAD with a length", "HEAD", head({{":status", "200"}, {"content-length", "7"}}), none},
        {"304 with a length", "GET", head({{":status", "304"}, {"content-length", "7"}}), none},
        {"a body", "GET", head({{":status", "200"}, {"content-length", "2"}}, false) + frame(kData, kEndStream, 1, "ok"), none},
        {"no status", "GET", head({{"x", "y"}}), bad_status_line},
        {"20", "GET", head({{":status", "20"}}), bad_status_line},
        {"0200", "GET", head({{":status", "0200"}}), bad_status_line},
        {"a letter", "GET", head({{":status", "20x"}}), bad_status_line},
        {"99", "GET", head({{":status", "099"}}), bad_status_line},
        {"101", "GET", head({{":status", "101"}}, false), bad_response},
        {"an interim response that ends", "GET", head({{":status", "103"}}), bad_response},
        {"an interim response with a length", "GET", head({{":status", "103"}, {"content-length", "1"}}, false), bad_response},
        {"data before the final head", "GET", head({{":status", "103"}}, false) + frame(kData, 0, 1, "x"), bad_response},
        {"an end before the final head", "GET", head({{":status", "103"}}, false) + frame(kData, kEndStream, 1), bad_response},
        {"two statuses", "GET", head({{":status", "200"}, {":status", "200"}}), bad_pseudo_header},
        {":path", "GET", head({{":status", "200"}, {":path", "/"}}), bad_pseudo_header},
        {"upper case", "GET", head({{":status", "200"}, {"X", "y"}}), bad_header_name},
        {"CR LF", "GET", head({{":status", "200"}, {"x", "y\r\nset-cookie: z"}}), bad_header_value},
        {"transfer-encoding", "GET", head({{":status", "200"}, {"transfer-encoding", "chunked"}}), connection_field},
        {"a length and no body", "GET", head({{":status", "200"}, {"content-length", "7"}}), length_mismatch},
        {"too short", "GET", head({{":status", "200"}, {"content-length", "7"}}, false) + frame(kData, kEndStream, 1, "123"), length_mismatch},
        {"too long", "GET", head({{":status", "200"}, {"content-length", "1"}}, false) + frame(kData, kEndStream, 1, "123"), length_mismatch},
        {"a body for HEAD", "HEAD", head({{":status", "200"}}, false) + frame(kData, kEndStream, 1, "x"), length_mismatch},
        {"204 with a length", "GET", head({{":status", "204"}, {"content-length", "7"}}), bad_response},
        {"204 with length 0", "GET", head({{":status", "204"}, {"content-length", "0"}}), none},
        {"a body with 204", "GET", head({{":status", "204"}}, false) + frame(kData, kEndStream, 1, "x"), length_mismatch},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        Side client(H2Role::client);
        Listener asked;
        asked.stream = client.session.open({row.method, "https", "a.example", "/"}, {}, true, asked);
        client.output();
        client.feed(frame(kSettings, 0, 0) + row.frames);
        CHECK(name_of(asked.reset.reject) == name_of(row.reject));
        CHECK(asked.resets == (row.reject == none ? 0 : 1));
        CHECK(asked.ended == (row.reject == none));
        client.output();
        CHECK(client.session.fault() == H2Fault::none);
        asked.release();
    }
}

TEST_CASE("h2 head: what is let through reads the same once it is written as HTTP/1") {
    Side server;
    server.feed(preface() + headers(1, get("/a?b", {{"cookie", "a=1"}, {"cookie", "b=2"}, {"x", "\xc3\xa4 y"}, {"content-length", "3"}}), kEndHeaders));
    const RequestHead& head = server.stream(1).request.head;
    std::string text;
    HeadWriter(text).request(head.method, head.target).headers(head.headers).end();
    RequestParser parser;
    REQUIRE(parser.parse(text) == Progress::done);
    CHECK(parser.head().host == head.host);
    CHECK(parser.head().path == head.path);
    CHECK(parser.head().query == head.query);
    CHECK(parser.head().framing == head.framing);
    CHECK(parser.head().content_length == head.content_length);
    CHECK(parser.head().headers.size() == head.headers.size());
}
