// SPDX-License-Identifier: Apache-2.0
// Every reason for which HTTP/1.1 is refused has a shortest example here; a new one without an example fails this file.
#include <algorithm>
#include <string>

#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"

using namespace penstock::http;

namespace {

enum class What : std::uint8_t { request, response, chunks, elsewhere };

struct Example {
    What what = What::request;
    std::string text;
};

constexpr Limits kLimits{.head_bytes_max = 80, .headers_max = 2, .chunk_extension_bytes_max = 8, .trailer_bytes_max = 16, .body_bytes_max = 10};

Example head(const std::string& fields) { return {What::request, "GET / HTTP/1.1\r\n" + fields + "\r\n"}; }
Example line(const std::string& text) { return {What::request, text + "\r\n"}; }
Example chunks(const std::string& text) { return {What::chunks, text}; }

Example example_of(Reject reject) {
    const std::string host = "Host: a\r\n", chunked = "Transfer-Encoding: chunked\r\n";
    switch (reject) {
        case Reject::bad_line_end: return {What::request, "GET / HTTP/1.1\n"};
        case Reject::bad_request_line: return line("GET /");
        case Reject::bad_method: return line("G@T / HTTP/1.1");
        case Reject::bad_target: return line("GET a HTTP/1.1\r\nHost: a\r\n");
        case Reject::target_too_long: return line("GET /" + std::string(80, 'a') + " HTTP/1.1");
        case Reject::bad_version: return line("GET / HTTP/1");
        case Reject::unknown_version: return line("GET / HTTP/2.0");
        case Reject::bad_header_name: return head("A : b\r\n");
        case Reject::disguised_framing: return head("Content_Length: 1\r\n");
        case Reject::bad_header_value: return head("A: \x01\r\n");
        case Reject::folded_header: return head("A: b\r\n c\r\n");
        case Reject::too_many_headers: return head("A:\r\nA:\r\nA:\r\n");
        case Reject::head_too_large: return head("A: " + std::string(80, 'a') + "\r\n");
        case Reject::no_host: return head("");
        case Reject::several_hosts: return head(host + host);
        case Reject::bad_host: return head("Host: a/b\r\n");
        case Reject::host_mismatch: return {What::request, "GET http://b/ HTTP/1.1\r\n" + host + "\r\n"};
        case Reject::bad_content_length: return head(host + "Content-Length: +1\r\n");
        case Reject::several_content_lengths: return {What::request, "GET / HTTP/1.0\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"};
        case Reject::length_and_encoding: return {What::request, "GET / HTTP/1.0\r\nContent-Length: 1\r\n" + chunked + "\r\n"};
        case Reject::encoding_in_http10: return {What::request, "GET / HTTP/1.0\r\n" + chunked + "\r\n"};
        case Reject::bad_transfer_encoding: return head(host + "Transfer-Encoding: ,chunked\r\n");
        case Reject::unknown_transfer_encoding: return head(host + "Transfer-Encoding: gzip\r\n");
        case Reject::bad_chunk: return chunks("0x1\r\n");
        case Reject::chunk_extensions_too_long: return chunks("1;a=12345678\r\n");
        case Reject::bad_trailer: return chunks("0\r\nA : b\r\n\r\n");
        case Reject::trailers_too_large: return chunks("0\r\nA: 0123456789abcdef\r\n\r\n");
        case Reject::body_too_large: return chunks("b\r\n");
        case Reject::bad_status_line: return {What::response, "HTTP/1.1 20\r\n\r\n"};
        case Reject::bad_response: return {What::response, "HTTP/1.1 200\r\nContent-Length: 1,1\r\n\r\n"};
        case Reject::bad_pseudo_header:  // of HTTP/2: h2_head_test.cpp
        case Reject::bad_scheme:
        case Reject::connection_field:
        case Reject::length_mismatch:
        case Reject::none: break;
    }
    return {What::elsewhere, ""};
}

Reject refusal_of(const Example& example) {
    if (example.what == What::chunks) {
        BodyReader reader(kLimits);
        reader.start(Framing::chunked, 0);
        reader.next(example.text);
        return reader.reject();
    }
    RequestParser request(kLimits);
    ResponseParser response(kLimits);
    const Progress progress = example.what == What::request ? request.parse(example.text) : response.parse(example.text);
    CHECK(progress == Progress::rejected);
    return example.what == What::request ? request.reject() : response.reject();
}

constexpr Reject kAll[] = {
#define PST_X(name, status, text) Reject::name,
    PST_HTTP_REJECTS(PST_X)
#undef PST_X
};

}  // namespace

TEST_CASE("reject: every reason of HTTP/1.1 is produced by its example") {
    for (const Reject reject : kAll) {
        INFO(name_of(reject));
        if (const Example example = example_of(reject); example.what != What::elsewhere) {
            CHECK(name_of(refusal_of(example)) == name_of(reject));
        }
    }
}

TEST_CASE("reject: every reason has a name of its own, a sentence and a status") {
    std::vector<std::string_view> names;
    for (const Reject reject : kAll) {
        names.push_back(name_of(reject));
        CHECK_FALSE(sentence_of(reject).empty());
        CHECK((status_of(reject) / 100 == 4 || status_of(reject) / 100 == 5));
    }
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
    CHECK(status_of(Reject::none) == 0);
}
