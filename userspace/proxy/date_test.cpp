// SPDX-License-Identifier: Apache-2.0
// Every case with sockets runs on both rings.
#include "userspace/proxy/date.hpp"

#include "userspace/proxy/test_http2.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

TEST_CASE("date: the text is that of RFC 9110, for days of one digit and of every month") {
    CHECK(date_of(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(date_of(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
    CHECK(date_of(951827696) == "Tue, 29 Feb 2000 12:34:56 GMT");
    CHECK(date_now().size() == 29);
}

TEST_CASE("date: an answer without one gets one, ours too, and a backend's stays") {
    Backend backend([](Peer& peer) {
        for (Message request = peer.message(); request.whole; request = peer.message()) {
            const bool dated = request.head.starts_with("GET /dated");
            peer.send(std::string("HTTP/1.1 200 OK\r\n") + (dated ? "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" : "") + "Content-Length: 2\r\n\r\nok");
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}, {{.path = "/dated"}, {.path = "/bare"}}));
    Peer client = edge.client();
    const auto ask = [&](const std::string& path) { return client.ask("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n"); };
    const Message dated = ask("/dated");
    CHECK(dated.field("Date") == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(dated.head.find("Date: ") == std::string::npos);
    CHECK(ask("/bare").field("Date").ends_with(" GMT"));
    CHECK(ask("/none").field("Date").ends_with(" GMT"));
    CHECK(client.ask("GET / HTTP/1.1\r\nHost : a\r\n\r\n").field("Date").ends_with(" GMT"));
    Http2Peer newer(edge.client());
    http::Headers bad;
    bad.add("x-bad", "a\x01z");
    for (const auto& [path, headers] : {std::pair<const char*, http::Headers>{"/bare", {}}, {"/none", {}}, {"/bare", bad}}) {
        h2::Listener& stream = newer.get(path, headers);
        REQUIRE(newer.done(stream));
        CHECK(field_of(stream, "date").size() == 29);
    }
    h2::Listener& stream = newer.get("/dated");
    REQUIRE(newer.done(stream));
    CHECK(field_of(stream, "date") == "Sun, 06 Nov 1994 08:49:37 GMT");
}
