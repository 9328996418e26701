// SPDX-License-Identifier: Apache-2.0
// What is counted of requests, by listener, rule and backend set; every case runs on both rings.
#include "userspace/proxy/record.hpp"

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

std::uint64_t count_of(const Durations& durations) {
    std::uint64_t total = 0;
    for (const Counter& bucket : durations.buckets) {
        total += bucket;
    }
    return total;
}

}  // namespace

TEST_CASE("record: requests are counted for their listener, rule and backends") {
    Backend backend([](Peer& peer) {
        while (true) {
            const Message request = peer.message();
            if (!request.whole) {
                return;
            }
            peer.send(request.start().starts_with("GET /b") ? "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}, {{.path = "/a"}, {.path = "/b"}}));
    Peer client = edge.client();
    for (const auto& [path, status] : std::initializer_list<std::pair<const char*, int>>{{"/a", 200}, {"/a", 200}, {"/b", 503}, {"/none", 404}}) {
        CHECK(client.ask(std::string("GET ") + path + " HTTP/1.1\r\nHost: a\r\n\r\n").status() == status);
    }
    const SlotStats& stats = edge.stats();
    REQUIRE(Edge::eventually([&] { return stats.listeners[0].status_class[4] == 1; }));
    CHECK(stats.listeners[0].status_class[2] == 2);
    CHECK(stats.listeners[0].status_class[5] == 1);
    CHECK(count_of(stats.listeners[0].durations) == 4);
    CHECK(stats.rules[0].status_class[2] == 2);
    CHECK(stats.rules[1].status_class[5] == 1);
    CHECK(count_of(stats.rules[0].durations) == 2);
    CHECK(stats.sets[0].status_class[2] == 2);
    CHECK(stats.sets[0].status_class[5] == 1);
    CHECK(stats.sets[0].connections == 1);
    CHECK(stats.sets[0].reused == 2);
    CHECK(count_of(stats.sets[0].durations) == 3);
}

TEST_CASE("record: a request that ends without an answer counts as such, and where it stood") {
    SECTION("the backend does not listen") {
        Edge edge(ring_kind(), http_snapshot({nobody()}));
        CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 503);
        REQUIRE(Edge::eventually([&] { return edge.stats().rules[0].status_class[5] == 1; }));
        CHECK(edge.stats().sets[0].connect_failures == 1);
        CHECK(edge.stats().sets[0].status_class[0] == 0);
    }
    SECTION("the client leaves") {
        Backend backend([](Peer& peer) { static_cast<void>(peer.message()), static_cast<void>(peer.more()); });
        Edge edge(ring_kind(), http_snapshot({backend.at()}));
        Peer client = edge.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        REQUIRE(Edge::eventually([&] { return backend.connections() == 1; }));
        client.reset();
        REQUIRE(Edge::eventually([&] { return edge.stats().rules[0].status_class[0] == 1; }));
        CHECK(count_of(edge.stats().rules[0].durations) == 0);
        CHECK(edge.stats().sets[0].status_class[0] == 1);
    }
}

TEST_CASE("record: a request that is sent again counts a retry of its rule and an attempt more at the backends") {
    Backend backend([](Peer& peer) {  // answers once, and closes upon the second head
        static_cast<void>(peer.message());
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        peer.take(1);
        peer.reset();
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (int i = 0; i < 2; ++i) {
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
    REQUIRE(Edge::eventually([&] { return edge.stats().rules[0].status_class[2] == 2; }));
    CHECK(edge.stats().rules[0].retries == 1);
    CHECK(edge.stats().sets[0].status_class[0] == 1);
    CHECK(edge.stats().sets[0].status_class[2] == 2);
}

TEST_CASE("record: a tunnel has a status and bytes, but no duration") {
    Backend backend([](Peer& peer) {
        static_cast<void>(peer.message());
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        peer.send(peer.take(1000));
        peer.close();
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    CHECK(client.message().status() == 101);
    client.send(pattern(1000));
    CHECK(client.take(1000).size() == 1000);
    client.close();
    REQUIRE(Edge::eventually([&] { return edge.stats().rules[0].status_class[1] == 1; }));
    CHECK(count_of(edge.stats().rules[0].durations) == 0);
    CHECK(edge.stats().listeners[0].bytes_out > 1000);  // the head is among them
    CHECK(edge.stats().listeners[0].bytes_out < 1200);
}
