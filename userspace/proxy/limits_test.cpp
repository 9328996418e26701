// SPDX-License-Identifier: Apache-2.0
// Limits that strike, and those that do not: on both versions of HTTP, through real sockets, on both rings.
#include "userspace/http/test_h2.hpp"
#include "userspace/proxy/body_pace.hpp"
#include "userspace/proxy/sources.hpp"
#include "userspace/proxy/test_http2.hpp"
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

std::string post(const std::string& fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fb::LimitsT& own_limits(Snapshot& snapshot, std::size_t listener = 0) {
    auto& limits = snapshot.root.listeners[listener]->limits;
    limits = std::make_unique<fb::LimitsT>();
    return *limits;
}

}  // namespace

TEST_CASE("limits: a connection is closed after its last request, and says so") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->requests_per_connection_max = 2;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    CHECK(client.ask(kGet).field("Connection") == "-");
    CHECK(client.ask(kGet).field("Connection") == "close");
    CHECK(client.ended());
}

TEST_CASE("limits: a client has so many connections, others have theirs, and one that ends makes room") {
    Snapshot snapshot = http_snapshot({});
    snapshot.root.limits->connections_per_source_max = 2;
    auto& address = snapshot.root.listeners[0]->client_address;
    address = std::make_unique<fb::ClientAddressT>();
    address->proxy_protocol = fb::ProxyProtocol::V1;
    Edge edge(ring_kind(), snapshot);
    const auto from = [](const std::string& client) { return "PROXY TCP6 " + client + " 2001:db8::1 4096 80\r\n" + kGet; };
    Peer one = edge.client();
    Peer two = edge.client();
    Peer three = edge.client();
    Peer other = edge.client();
    CHECK(one.ask(from("2001:db8:1:1::1")).status() == 503);
    CHECK(two.ask(from("2001:db8:1:1::2")).status() == 503);
    three.send(from("2001:db8:1:1:ffff::3"));
    CHECK(three.ended());
    CHECK(edge.counted(Reason::source_limit));
    CHECK(other.ask(from("2001:db8:1:2::1")).status() == 503);
    one.close();
    CHECK(Edge::eventually([&] { return edge.client().ask(from("2001:db8:1:1::4")).status() == 503; }));
}

TEST_CASE("limits: addresses of IPv4 are told apart whole, of IPv6 by their first half") {
    Sources sources;
    SourcePlace a, b, c, d;
    CHECK(a.take(sources, *IpAddress::parse("192.0.2.1"), 1));
    CHECK(b.take(sources, *IpAddress::parse("192.0.2.2"), 1));
    CHECK(c.take(sources, *IpAddress::parse("2001:db8::1"), 1));
    CHECK_FALSE(d.take(sources, *IpAddress::parse("2001:db8::ffff:0:0:2"), 1));
    {
        SourcePlace more;
        CHECK(more.take(sources, *IpAddress::parse("192.0.2.1"), 2));
    }
    CHECK(sources.size() == 3);
    CHECK(sources.at(*IpAddress::parse("192.0.2.1")) == 1);
}

TEST_CASE("limits: a body over its listener's limit is refused, however it is framed") {
    const ring::Kind kind = ring_kind();
    std::atomic<int> whole = 0;
    Backend backend([&](Peer& peer) {
        while (peer.message().whole) {
            ++whole;
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->body_bytes_max = 3;  // of others
    own_limits(snapshot).body_bytes_max = 10;
    Edge edge(kind, snapshot);
    struct Case {
        std::string request;
        int status;
    };
    const Case cases[] = {
        {post("Content-Length: 10\r\n") + "0123456789", 200},
        {post("Content-Length: 11\r\n") + "0123456789x", 413},
        {post("Transfer-Encoding: chunked\r\n") + "a\r\n0123456789\r\n0\r\n\r\n", 200},
        {post("Transfer-Encoding: chunked\r\n") + "a\r\n0123456789\r\n1\r\nx\r\n0\r\n\r\n", 413},
        {post("Transfer-Encoding: chunked\r\n") + "b\r\n0123456789x\r\n0\r\n\r\n", 413},
    };
    int served = 0;
    for (const Case& one : cases) {
        CHECK(edge.client().ask(one.request).status() == one.status);
        served += one.status == 200 ? 1 : 0;
    }
    // What comes late.
    Peer late = edge.client();
    late.send(post("Transfer-Encoding: chunked\r\n") + "a\r\n0123456789\r\n");
    std::this_thread::sleep_for(30ms);
    CHECK(late.ask("1\r\nx\r\n0\r\n\r\n").status() == 413);
    CHECK(whole == served);
    CHECK(edge.counted(Reason::body_too_large, 4));
}

TEST_CASE("limits: the times of a listener hold on its port before anything was read") {
    Snapshot snapshot = http_snapshot({});
    own_limits(snapshot).request_header_ms = 50;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    CHECK(client.ask("GET / HTTP/1.1\r\n").status() == 408);
    CHECK(edge.counted(Reason::header_timeout));
}

TEST_CASE("limits: a slow body ends by its pace, but not where the backend talks, nor on a gRPC route") {
    const ring::Kind kind = ring_kind();
    const auto drip = [](Peer& client, int times) {
        for (int i = 0; i < times; ++i) {
            std::this_thread::sleep_for(50ms);
            client.send("1\r\nx\r\n");
        }
        client.send("0\r\n\r\n");
    };
    SECTION("the backend has answered") {
        Backend backend([](Peer& peer) {
            peer.take_until("\r\n\r\n");
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while (peer.take_until("\r\n") == "1\r\n") {
                peer.take(3);
                peer.send("1\r\ny\r\n");
            }
            peer.send("0\r\n\r\n");
            peer.rest();
        });
        Snapshot snapshot = http_snapshot({backend.at()});
        snapshot.root.limits->body_stall_ms = 300;
        Edge edge(kind, snapshot);
        Peer client = edge.client();
        client.send(post("Transfer-Encoding: chunked\r\n"));
        const std::string head = client.take_until("\r\n\r\n");
        CHECK(head.starts_with("HTTP/1.1 200"));
        drip(client, 12);
        CHECK(client.take_until("0\r\n\r\n").ends_with("1\r\ny\r\n0\r\n\r\n"));
    }
    SECTION("gRPC") {
        Backend backend(echo);
        RuleSpec rule;
        rule.rule.grpc = true;
        Snapshot snapshot = http_snapshot({backend.at()}, {rule});
        snapshot.root.limits->body_stall_ms = 300;
        Edge edge(kind, snapshot);
        Peer client = edge.client();
        client.send(post("Transfer-Encoding: chunked\r\n"));
        drip(client, 12);
        CHECK(client.message().status() == 200);
    }
}

TEST_CASE("limits: a pace is a grace, and a second for so many bytes") {
    BodyPace pace;
    const ring::Time now = ring::Time() + 1h;
    CHECK(pace.deadline(now) == ring::kNever);
    pace.start(10s);
    CHECK(pace.deadline(now) == now + 10s);
    pace.waited(4s);
    pace.moved(2 * BodyPace::kBytesPerSecond);
    CHECK(pace.deadline(now) == now + 8s);
    pace.waited(20s);
    CHECK(pace.holds());
    CHECK(pace.deadline(now) < now + 1ms);
    pace.stop();
    CHECK(pace.deadline(now) == ring::kNever);
    pace.start(0s);
    CHECK(pace.deadline(now) == ring::kNever);
}

TEST_CASE("limits: over HTTP/2 the same bodies are refused, on their streams") {
    Backend backend([](Peer& peer) { peer.rest(); });
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->body_bytes_max = 100;
    snapshot.root.limits->body_stall_ms = 300;
    Edge edge(ring_kind(), snapshot);
    Http2Peer client(edge.client());
    h2::Listener& large = client.open({"POST", "http", "a", "/"}, {}, false);
    const std::string body = pattern(101);
    large.stream->send(body, 1000);
    large.stream->end({});
    REQUIRE(client.until([&] { return status_of(large) != 0; }));
    CHECK(status_of(large) == 413);
    h2::Listener& slow = client.open({"POST", "http", "a", "/"}, {}, false);
    for (int i = 0; i < 12; ++i) {
        client.flush();
        std::this_thread::sleep_for(50ms);
        slow.stream->send("x", 1000);
    }
    REQUIRE(client.until([&] { return status_of(slow) != 0; }));
    CHECK(status_of(slow) == 408);
    CHECK(edge.counted(Reason::body_too_slow));
}

TEST_CASE("limits: over HTTP/2 a connection goes away after its last request") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->requests_per_connection_max = 2;
    Edge edge(ring_kind(), snapshot);
    Http2Peer client(edge.client());
    for (int i = 0; i < 2; ++i) {
        CHECK(client.done(client.get("/")));
    }
    CHECK_FALSE(client.until([] { return false; }));  // until it ends
}

TEST_CASE("limits: over HTTP/2 who does not want to hear of it is heard no longer") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->requests_per_connection_max = 2;
    snapshot.root.limits->streams_max = 4;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    const auto frame = [](char type, char flags, char stream, const std::string& payload) {
        return std::string{0, 0, static_cast<char>(payload.size()), type, flags, 0, 0, 0, stream} + payload;
    };
    // Answers neither PING nor SETTINGS, and asks on.
    client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, ""));
    const auto answered = [&client](char stream) {
        for (;;) {
            const std::string head = client.take(9);
            if (head.size() < 9) {
                return false;
            }
            client.take(static_cast<std::size_t>(static_cast<std::uint8_t>(head[1])) << 8 | static_cast<std::uint8_t>(head[2]));
            if (head[3] == 1 && head[8] == stream) {
                return true;
            }
        }
    };
    int served = 0;
    for (char stream = 1; stream < 41; stream = static_cast<char>(stream + 2)) {
        client.send(frame(1, 5, stream, "\x82\x86\x84\x41\x01" "a"));  // GET / of a
        if (!answered(stream)) {
            break;
        }
        ++served;
    }
    CHECK(served == 6);
}

TEST_CASE("limits: who does not read its answer is given up, on both versions") {
    Backend backend([](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        const std::string block(1U << 20, 'x');
        while (peer.send(block)) {
        }
    });
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->body_stall_ms = 200;
    Edge edge(ring_kind(), snapshot);
    Peer first = edge.client();
    first.send(kGet);
    CHECK(edge.counted(Reason::idle_timeout));
    Http2Peer second(edge.client());
    h2::Listener& held = second.get("/");
    held.consumes = false;
    CHECK(second.until([&] { return held.resets != 0; }));
    CHECK(edge.counted(Reason::idle_timeout, 2));
}
