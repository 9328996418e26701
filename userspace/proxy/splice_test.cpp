// SPDX-License-Identifier: Apache-2.0
// Long bodies and tunnels that go by unread, and what ends them, through real sockets on both rings.
#include "userspace/proxy/splice.hpp"

#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kLong = 6'000'000;

std::string head_of(std::size_t length) { return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n"; }

// Then a pause, so that what follows comes as another matter.
void send_then_rest(Peer& peer, const std::string& text) {
    peer.send(text);
    std::this_thread::sleep_for(20ms);
}

void answer_long(Peer& peer) {
    while (!peer.message().head.empty() && peer.send(head_of(kLong)) && peer.send(pattern(kLong))) {
    }
}

bool eventually_spliced(const Edge& edge, std::uint64_t bytes) {
    return Edge::eventually([&] { return edge.stats().spliced_bytes_total >= bytes; });
}

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("splice: a long answer goes by unread, to its last byte, and both connections serve the next request") {
    Backend backend(answer_long);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (std::uint64_t round = 1; round <= 3; ++round) {
        const Message answer = client.ask(kGet);
        CHECK(answer.whole);
        CHECK((answer.body == pattern(kLong)));
        CHECK(eventually_spliced(edge, round * kLong / 2));
    }
    CHECK(backend.connections() == 1);
    CHECK(Edge::eventually([&] { return edge.stats().listeners[0].bytes_out >= 3 * kLong; }));
}

TEST_CASE("splice: an answer without a length goes by unread to a client of HTTP/1.0, and in chunks it is read") {
    Backend backend([&](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.0 200 OK\r\n\r\n");
        peer.send(pattern(kLong));
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    const Message old = edge.client().ask("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    CHECK((old.body == pattern(kLong)));
    CHECK(eventually_spliced(edge, kLong / 2));
    const std::uint64_t before = edge.stats().spliced_bytes_total;
    const Message framed = edge.client().ask(kGet);
    CHECK((framed.body == pattern(kLong)));
    CHECK(edge.stats().spliced_bytes_total == before);
}

TEST_CASE("splice: a long request goes by unread; what follows it is the next one") {
    Backend backend([](Peer& peer) {
        for (Message request = peer.message(); !request.head.empty(); request = peer.message()) {
            peer.send(head_of(2) + (request.body == pattern(request.body.size()) ? "ok" : "no"));
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (int round = 0; round < 2; ++round) {
        std::thread sender([&] {
            client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(kLong) + "\r\n\r\n" + pattern(kLong) + kGet);
        });
        CHECK(client.message().body == "ok");
        CHECK(client.message().body == "ok");
        sender.join();
    }
    CHECK(eventually_spliced(edge, kLong));
}

TEST_CASE("splice: a backend that breaks off is told as a broken answer, and one that pauses is waited for") {
    std::atomic<bool> whole = false;
    Backend backend([&](Peer& peer) {
        peer.message();
        peer.send(head_of(kLong));
        send_then_rest(peer, pattern(kLong).substr(0, kLong / 2));
        if (whole) {
            send_then_rest(peer, pattern(kLong).substr(kLong / 2, 100));
            peer.send(pattern(kLong).substr(kLong / 2 + 100));
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    const Message half = edge.client().ask(kGet);
    CHECK_FALSE(half.whole);
    CHECK(edge.counted(Reason::backend_closed));
    whole = true;
    const Message answer = edge.client().ask(kGet);
    CHECK((answer.body == pattern(kLong)));
}

TEST_CASE("splice: a client that leaves in the middle ends the exchange, and what the pipe held reaches nobody else") {
    Backend backend(answer_long);
    Edge edge(ring_kind(), http_snapshot({backend.at()}), {.pipes_max = 1});
    {
        Peer client = edge.client();
        client.send(kGet);
        client.take(100'000);
        std::this_thread::sleep_for(20ms);  // the pipe is full by now
    }
    CHECK(edge.counted(Reason::client_closed));
    for (int i = 0; i < 2; ++i) {
        const Message answer = edge.client().ask(kGet);
        CHECK((answer.body == pattern(kLong)));
    }
    edge.on_thread([](Context& context) { CHECK(context.loop.pipes().out() == 0); });
}

TEST_CASE("splice: without a free pipe bodies go through buffers") {
    Backend backend([](Peer& peer) {
        peer.message();
        peer.send(head_of(4 * kLong));
        for (int i = 0; i < 4; ++i) {
            peer.send(pattern(kLong));
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}), {.pipes_max = 1});
    Peer slow = edge.client();
    slow.send(kGet);
    CHECK(Edge::eventually([&] {  // it holds the only one
        bool held = false;
        edge.on_thread([&held](Context& context) { held = context.loop.pipes().out() == 1; });
        return held;
    }));
    CHECK(edge.client().ask(kGet).body.size() == 4 * kLong);
    const Message answer = slow.message();
    CHECK(answer.whole);
    CHECK((answer.body.substr(3 * kLong) == pattern(kLong)));
}

TEST_CASE("splice: what streams through a tunnel goes by unread both ways at once, then what is short is not held up") {
    Backend backend([](Peer& peer) {
        for (std::string piece = peer.take(10'000); !piece.empty(); piece = peer.take(10'000)) {
            peer.send(piece);
        }
    });
    Edge edge(ring_kind(), tcp_snapshot(backend.at()));
    Peer client = edge.client();
    const std::string text = pattern(kLong);
    std::thread sender([&] { client.send(text); });
    const std::string back = client.take(kLong);
    sender.join();
    CHECK((back == text));
    CHECK(eventually_spliced(edge, kLong / 2));
    for (int i = 0; i < 3; ++i) {
        client.send(pattern(10'000));
        CHECK((client.take(10'000) == pattern(10'000)));
    }
    client.end_sending();
    CHECK(client.rest().empty());
    CHECK(Edge::eventually([&] { return edge.stats().connections_open == 0; }));
}

TEST_CASE("splice: a client that has sent its end and does not read is waited for, not asked again and again, and in the end cut off") {
    Backend backend(answer_long);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->body_stall_ms = 600;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    client.send(kGet);
    client.end_sending();
    CHECK(eventually_spliced(edge, 1));
    std::uint64_t before = 0, after = 0;
    std::this_thread::sleep_for(100ms);  // every buffer is full now
    edge.on_thread([&](Context& context) { before = context.loop.counters().turns; });
    std::this_thread::sleep_for(200ms);
    edge.on_thread([&](Context& context) { after = context.loop.counters().turns; });
    CHECK(after - before < 100);
    CHECK(edge.counted(Reason::idle_timeout));
}

TEST_CASE("splice: a reset is no end: not of an answer without a length, and not of a tunnel") {
    const bool tunnel = GENERATE(false, true);
    std::atomic<bool> taken = false;
    Backend backend([&](Peer& peer) {
        peer.take_until("\n");
        peer.send("HTTP/1.0 200 OK\r\n\r\n");
        peer.send(pattern(kLong));
        while (!taken) {
            std::this_thread::sleep_for(1ms);
        }
        peer.reset();
    });
    Edge edge(ring_kind(), tunnel ? tcp_snapshot(backend.at()) : http_snapshot({backend.at()}));
    Peer client = edge.client();
    client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    client.take_until("\r\n\r\n");
    CHECK(client.take(kLong).size() == kLong);
    taken = true;
    if (!tunnel) {
        CHECK(edge.counted(Reason::backend_closed));
    }
    CHECK(Edge::eventually([&] { return edge.stats().connections_open == 0; }));  // both directions
}

TEST_CASE("splice: an urgent byte, which no splice gets over, does not hold a tunnel up") {
    Backend backend([](Peer& peer) {
        for (std::string piece = peer.take(10'000); !piece.empty(); piece = peer.take(10'000)) {
            peer.send(piece);
        }
    });
    Edge edge(ring_kind(), tcp_snapshot(backend.at()));
    Peer client = edge.client();
    std::thread sender([&] {
        client.send(pattern(kLong));
        client.send_urgent('!');  // out of band: the edge does not see it
        client.send(pattern(kLong));
    });
    const std::string back = client.take(2 * kLong);
    sender.join();
    CHECK((back == pattern(kLong) + pattern(kLong)));
}

TEST_CASE("splice: a body under TLS is read unless the kernel makes its records") {
    Backend backend(answer_long);
    Edge edge(ring_kind(), tls_snapshot(fb::ListenerMode::Https, {backend.at()}));
    TlsClient client(edge.at(), "a.example");
    const Message answer = client.ask("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    CHECK((answer.body == pattern(kLong)));
    CHECK((edge.stats().spliced_bytes_total > kLong / 2) == (edge.stats().ktls_write_total > 0));
}
