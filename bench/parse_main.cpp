// SPDX-License-Identifier: Apache-2.0
// What the parsers of HTTP/1.1 cost: nanoseconds per head or body. With a case's name and a count it parses that one only, so that
// callgrind can count instructions (bench/parse does).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "bench/native/report.hpp"
#include "bench/native/sample.hpp"
#include "userspace/http/parser.hpp"
#include "userspace/http/writer.hpp"

using namespace penstock;
using namespace penstock::http;

namespace {

const std::string kCurl = "GET /api/v1/items?page=2 HTTP/1.1\r\nHost: shop.example.com\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n";
const std::string kBrowser =
    "GET /assets/app/main.3f9c1d2e.js?v=20240611 HTTP/1.1\r\nHost: www.shop.example.com\r\nConnection: keep-alive\r\n"
    "sec-ch-ua: \"Chromium\";v=\"124\", \"Google Chrome\";v=\"124\", \"Not-A.Brand\";v=\"99\"\r\nsec-ch-ua-mobile: ?0\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36\r\n"
    "sec-ch-ua-platform: \"Linux\"\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\nReferer: https://www.shop.example.com/basket/checkout\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9,de;q=0.8\r\n"
    "Cookie: session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; _ga=GA1.2.1234567890.1718000000; cart=3\r\nIf-None-Match: \"3f9c1d2e\"\r\n\r\n";
const std::string kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 11 Jun 2024 10:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n"
    "Connection: keep-alive\r\nETag: \"3f9c1d2e\"\r\nCache-Control: max-age=60\r\n\r\n";

std::string chunked_body() {
    std::string body;
    for (int i = 0; i < 64; ++i) {
        body += std::string(ChunkHead(1000).view()) + std::string(1000, 'x') + std::string(kChunkEnd);
    }
    return body + std::string(kLastChunk);
}

[[noreturn]] void refused() {
    std::fprintf(stderr, "a message was refused\n");
    std::exit(1);
}

template <class Parser>
void parse_heads(const std::string& text, long times) {
    Parser parser;
    for (long i = 0; i < times; ++i) {
        parser.reset();
        if (parser.parse(text) != Progress::done) {
            refused();
        }
    }
}

void read_bodies(const std::string& text, long times) {
    BodyReader reader;
    for (long i = 0; i < times; ++i) {
        reader.start(Framing::chunked, 0);
        for (std::string_view left = text; !reader.complete();) {
            const auto piece = reader.next(left);
            if (piece.progress == Progress::rejected) {
                refused();
            }
            left.remove_prefix(piece.consumed);
        }
    }
}

void write_heads(long times) {
    RequestParser parser;
    if (parser.parse(kBrowser) != Progress::done) {
        refused();
    }
    std::string out;
    for (long i = 0; i < times; ++i) {
        out.clear();
        HeadWriter(out).request("GET", parser.head().target).headers(parser.head().headers).end();
    }
}

struct Case {
    const char* name;
    std::size_t bytes;
    void (*run)(long times);
};

const Case kCases[] = {
    {"curl", kCurl.size(), [](long times) { parse_heads<RequestParser>(kCurl, times); }},
    {"browser", kBrowser.size(), [](long times) { parse_heads<RequestParser>(kBrowser, times); }},
    {"response", kResponse.size(), [](long times) { parse_heads<ResponseParser>(kResponse, times); }},
    {"chunks", chunked_body().size(), [](long times) { read_bodies(chunked_body(), times); }},
    {"write", kBrowser.size(), write_heads},
};

void measure(const Case& one, bench::Table& table) {
    constexpr long kTimes = 20000;
    const std::vector<double> ms = bench::milliseconds(15, [&] { one.run(kTimes); });
    table.add(one.name, {static_cast<double>(one.bytes), bench::best(ms) * 1e6 / kTimes, bench::median(ms) * 1e6 / kTimes});
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3) {
        for (const Case& one : kCases) {
            if (std::strcmp(argv[1], one.name) == 0) {
                one.run(std::atol(argv[2]));
                return 0;
            }
        }
    }
    if (argc != 1) {
        std::fprintf(stderr, "usage: bench_parse [CASE TIMES]\n");
        return 2;
    }
    bench::Report report;
    bench::Table& table = report.table("HTTP/1.1", {{"bytes"}, {"CPU ns, best", 1}, {"CPU ns, median", 1}});
    for (const Case& one : kCases) {
        measure(one, table);
    }
    report.print();
    return 0;
}
