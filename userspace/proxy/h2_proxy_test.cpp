// SPDX-License-Identifier: Apache-2.0
// HTTP/2 clients through real sockets; every case runs on both rings.
#include "userspace/proxy/test_bodies.hpp"
#include "userspace/proxy/test_http2.hpp"
#include "userspace/proxy/test_tls.hpp"
#include "userspace/proxy/websocket.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

TEST_CASE("h2_proxy: a request by prior knowledge reaches a backend of HTTP/1.1, and its answer comes back") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    http::Headers headers;
    headers.add("accept", "x");
    headers.add("x-forwarded-proto", "evil");
    headers.add("x_forwarded_for", "6.6.6.6");
    headers.add("x_other", "7.7.7.7");
    headers.add("te", "trailers");
    h2::Listener& stream = client.get("/a/b?c=d", headers);
    REQUIRE(client.done(stream));
    CHECK(status_of(stream) == 200);
    CHECK(field_of(stream, "content-length") == std::to_string(stream.body.size()));
    CHECK(field_of(stream, "connection") == "-");
    Message seen;
    seen.head = stream.body;
    CHECK(seen.start() == "GET /a/b?c=d HTTP/1.1");
    CHECK(seen.field("Host") == "shop.example");
    CHECK(seen.field("X-Forwarded-Proto") == "http");
    CHECK(seen.field("X-Forwarded-For") == "127.0.0.1");
    CHECK(seen.field("x_forwarded_for") == "-");
    CHECK(seen.field("x_other") == "7.7.7.7");
    CHECK(seen.field("TE") == "trailers");
    CHECK(edge.stats().requests_total == 1);
    CHECK(edge.stats().status_class[2] == 1);
}

TEST_CASE("h2_proxy: the preface may come in single bytes, and what only begins like it is HTTP/1.1") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    h2::Listener& stream = client.get("/");
    for (const char byte : client.side().output()) {
        REQUIRE(client.peer().send(std::string_view(&byte, 1)));
    }
    REQUIRE(client.done(stream));
    CHECK(status_of(stream) == 200);
    for (const char* method : {"PUT", "PRI", "PRIX", "P"}) {
        Peer plain = edge.client();
        for (const char byte : std::string(method) + " / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n") {
            plain.send(std::string_view(&byte, 1));
        }
        INFO(method);
        if (method == std::string_view("PRI")) {
            CHECK(plain.rest().find("HTTP/1.1") == std::string::npos);
        } else {
            CHECK(plain.message().body.starts_with(std::string(method) + " / HTTP/1.1"));
        }
    }
}

TEST_CASE("h2_proxy: many streams run at once on one connection, each with its own answer") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    std::vector<h2::Listener*> streams;
    for (int i = 0; i < 100; ++i) {
        h2::Listener& stream = client.open({"POST", "http", "a", "/" + std::to_string(i)}, {}, false);
        stream.stream->send_own(pattern(300), 1000);
        stream.stream->end();
        streams.push_back(&stream);
    }
    for (int i = 0; i < 100; ++i) {
        REQUIRE(client.done(*streams[static_cast<std::size_t>(i)]));
        CHECK(streams[static_cast<std::size_t>(i)]->body.starts_with("POST /" + std::to_string(i) + " HTTP/1.1"));
        CHECK(streams[static_cast<std::size_t>(i)]->body.ends_with(pattern(300)));
    }
    CHECK(backend.connections() <= 100);
    CHECK(edge.stats().connections_total == 1);
}

TEST_CASE("h2_proxy: large bodies go both ways at once, with trailers") {
    Backend backend([](Peer& peer) {
        peer.take_until("\r\n\r\n");
        echo_chunks(peer);
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    const std::string body = pattern(3'000'000);
    h2::Listener& stream = client.open({"POST", "http", "a", "/up"}, {}, false);
    stream.stream->send(body, 1000);
    http::Headers trailers;
    trailers.add("x-sum", "17");
    stream.stream->end(trailers);
    REQUIRE(client.done(stream));
    CHECK(stream.body == body);
    CHECK(stream.trailers.fields.find("x-sum").value_or("-") == "17");
}

TEST_CASE("h2_proxy: a client that does not take one body gets the others") {
    Backend backend([](Peer& peer) {
        for (;;) {
            const Message request = peer.message();
            if (!request.whole) {
                return;
            }
            const std::string body = request.head.starts_with("GET /big") ? pattern(2'000'000) : "small";
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    h2::Listener& big = client.get("/big");
    big.consumes = false;
    REQUIRE(client.until([&] { return big.body.size() > 60'000; }));
    for (int i = 0; i < 5; ++i) {
        h2::Listener& small = client.get("/small");
        REQUIRE(client.done(small));
        CHECK(small.body == "small");
    }
    CHECK(big.body.size() < 70'000);  // its window
    big.consumes = true;
    big.stream->consume(big.body.size());
    REQUIRE(client.done(big));
    CHECK(big.body == pattern(2'000'000));
}

TEST_CASE("h2_proxy: what we refuse is answered on its stream, and the connection goes on") {
    RuleSpec rule;
    rule.path = "/only";
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}, {rule}));
    Http2Peer client(edge.client());
    h2::Listener& missing = client.get("/else");
    REQUIRE(client.done(missing));
    CHECK(status_of(missing) == 404);
    CHECK(field_of(missing, "x-penstock-reason") == "no_route");
    CHECK(missing.body.find("no_route") != std::string::npos);
    http::Headers bad;
    bad.add("x-bad", "a\x01z");
    h2::Listener& refused = client.get("/only", bad);
    REQUIRE(client.done(refused));
    CHECK(status_of(refused) == 400);
    CHECK(field_of(refused, "x-request-id").size() == 24);
    CHECK(refused.body.find(field_of(refused, "x-request-id")) != std::string::npos);
    http::Headers json;
    json.add("accept", "application/json");
    h2::Listener& head = client.open({"HEAD", "http", "a", "/else"}, json, true);
    REQUIRE(client.done(head));
    CHECK(status_of(head) == 404);
    CHECK(head.body.empty());
    h2::Listener& fine = client.get("/only/x");
    REQUIRE(client.done(fine));
    CHECK(status_of(fine) == 200);
}

TEST_CASE("h2_proxy: a gRPC call that we refuse hears of it as a status of gRPC") {
    RuleSpec rule;
    rule.path = "/shop.Cart";
    rule.backends = {{"none", 1}};
    Snapshot snapshot = http_snapshot({}, {rule});
    snapshot.backends("none", {});
    Edge edge(ring_kind(), snapshot);
    Http2Peer client(edge.client());
    http::Headers headers;
    headers.add("content-type", "application/grpc+proto");
    headers.add("te", "trailers");
    struct Case {
        const char *path, *status;
    };
    for (const Case& one : {Case{"/no.Such/Call", "12"}, Case{"/shop.Cart/Add", "14"}}) {
        h2::Listener& call = client.open({"POST", "http", "a", one.path}, headers, false);
        call.stream->send_own(std::string(5, 0), 1000);
        call.stream->end();
        REQUIRE(client.done(call));
        CHECK(status_of(call) == 200);
        CHECK(field_of(call, "content-type") == "application/grpc");
        CHECK(field_of(call, "grpc-status") == one.status);
        CHECK(field_of(call, "grpc-message") != "-");
        CHECK(call.body.empty());
    }
}

TEST_CASE("h2_proxy: a client that cancels a stream ends the backend's connection for it") {
    std::promise<void> asked, gone;
    Backend backend([&](Peer& peer) {
        peer.take_until("\r\n\r\n");
        asked.set_value();
        peer.rest();
        gone.set_value();
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    h2::Listener& stream = client.get("/");
    client.flush();
    asked.get_future().wait();
    stream.stream->reset(http::H2Code::cancel);
    client.flush();
    CHECK(gone.get_future().wait_for(10s) == std::future_status::ready);
    CHECK(edge.counted(Reason::client_closed));
    h2::Listener& next = client.open({"OPTIONS", "http", "a", "*"}, {}, true);
    REQUIRE(client.done(next));
    CHECK(status_of(next) == 200);
}

TEST_CASE("h2_proxy: a drain announces itself, finishes what runs, and closes") {
    std::promise<void> go;
    auto gone = go.get_future().share();
    Backend backend([&](Peer& peer) {
        peer.take_until("\r\n\r\n");
        gone.wait();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    h2::Listener& stream = client.get("/");
    client.flush();
    edge.on_thread([](Context& context) {
        context.drain();
    });
    REQUIRE(client.until([&] { return !client.side().owner.goaways.empty(); }));
    CHECK(client.side().owner.goaways.front() == 0);
    go.set_value();
    REQUIRE(client.done(stream));
    CHECK(stream.body == "ok");
    CHECK_FALSE(client.until([] { return false; }));
}

TEST_CASE("h2_proxy: a WebSocket by extended CONNECT is an upgrade to the backend") {
    Backend backend([](Peer& peer) {
        const Message request = peer.message();
        CHECK(request.start() == "GET /chat HTTP/1.1");
        CHECK(request.field("Upgrade") == "websocket");
        CHECK(request.field("Connection") == "upgrade");
        CHECK(request.field("Sec-WebSocket-Key").size() == 24);
        CHECK(request.field("Sec-WebSocket-Version") == "13");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " +
                  websocket_accept_of(request.field("Sec-WebSocket-Key")) + "\r\nSec-WebSocket-Protocol: chat\r\n\r\n");
        for (std::string line = peer.take_until("\n"); !line.empty(); line = peer.take_until("\n")) {
            peer.send("<" + line);
        }
        peer.send("bye");
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Http2Peer client(edge.client());
    REQUIRE(client.until([&] { return client.side().session.peer_connect_protocol(); }));
    http::Headers headers;
    headers.add("sec-websocket-version", "13");
    h2::Listener& stream = client.open({"CONNECT", "http", "a", "/chat", "websocket"}, headers, false);
    REQUIRE(client.until([&] { return !stream.responses.empty(); }));
    CHECK(status_of(stream) == 200);
    CHECK(field_of(stream, "sec-websocket-protocol") == "chat");
    CHECK(field_of(stream, "sec-websocket-accept") == "-");
    stream.stream->send_own("one\n", 1000);
    REQUIRE(client.until([&] { return stream.body == "<one\n"; }));
    stream.stream->end();
    REQUIRE(client.done(stream));
    CHECK(stream.body == "<one\nbye");
}

TEST_CASE("h2_proxy: a backend that does not take the WebSocket gives no tunnel") {
    const std::string switching = "HTTP/1.1 101 Switching Protocols\r\n";
    struct Row {
        std::string answer;  // KEY: what belongs to the request's
        int status;
    };
    const Row rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 502},
        {"HTTP/1.1 204 No Content\r\n\r\n", 502},
        {"HTTP/1.1 206 Partial\r\n\r\nhello", 502},
        {"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", 404},
        {"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302},
        {switching + "Connection: upgrade\r\nUpgrade: websocket\r\n\r\nhello", 502},
        {switching + "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\nhello", 502},
        {switching + "Connection: upgrade\r\nUpgrade: foo\r\nSec-WebSocket-Accept: KEY\r\n\r\nhello", 502},
        {switching + "Connection: upgrade\r\nSec-WebSocket-Accept: KEY\r\n\r\nhello", 502},
        {switching + "Upgrade: websocket\r\nSec-WebSocket-Accept: KEY\r\n\r\nhello", 502},
        {switching + "Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: KEY\r\n\r\nhello", 200},
    };
    const ring::Kind kind = ring_kind();
    for (const Row& row : rows) {
        INFO(row.answer);
        Backend backend([&](Peer& peer) {
            const Message request = peer.message();
            std::string answer = row.answer;
            if (const std::size_t at = answer.find("KEY"); at != std::string::npos) {
                answer.replace(at, 3, websocket_accept_of(request.field("Sec-WebSocket-Key")));
            }
            peer.send(answer);
        });
        Edge edge(kind, http_snapshot({backend.at()}));
        Http2Peer client(edge.client());
        http::Headers headers;
        headers.add("sec-websocket-key", "of the client, which has none to give");
        h2::Listener& stream = client.open({"CONNECT", "http", "a", "/chat", "websocket"}, headers, false);
        stream.stream->end();
        REQUIRE(client.done(stream));
        CHECK(status_of(stream) == row.status);
        CHECK((stream.body.find("hello") != std::string::npos) == (row.status == 200));
        CHECK(field_of(stream, "x-penstock-reason") == (row.status == 502 ? "backend_invalid" : "-"));
    }
}

TEST_CASE("h2_proxy: heads and streams without end are bounded in time") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->request_header_ms = 100;
    snapshot.root.limits->idle_ms = 100;
    Edge edge(ring_kind(), snapshot);
    Peer silent = edge.client();
    CHECK(silent.ended());
    Peer half = edge.client();
    half.send(h2::preface() + h2::frame(h2::kHeaders, 0, 1, h2::block(h2::get())));  // no CONTINUATION follows
    half.rest();
    CHECK(edge.counted(Reason::header_timeout, 1));
    Http2Peer served(edge.client());  // and one that has had what it wanted
    h2::Listener& only = served.get("/only");
    REQUIRE(served.done(only));
    CHECK_FALSE(served.until([] { return false; }));
    CHECK(served.side().owner.goaways == std::vector<std::uint32_t>{0});
    Http2Peer idle(edge.client());
    int pings = 0;
    CHECK_FALSE(idle.until([&] {  // PINGs do not prolong its life
        std::this_thread::sleep_for(10ms);
        idle.peer().send(h2::frame(h2::kPing, 0, 0, "12345678"));
        return ++pings == 150;
    }));
    CHECK(pings < 150);
    CHECK(idle.side().owner.goaways == std::vector<std::uint32_t>{0});
}

TEST_CASE("h2_proxy: answers that nobody lets in end the connection, though their exchanges are over") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->idle_ms = 60'000;
    snapshot.root.limits->body_stall_ms = 200;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    client.send(h2::kMagic + h2::frame(h2::kSettings, 0, 0, h2::number(4, 2) + h2::number(0, 4)) + h2::headers(1, h2::get()));
    client.rest();
    CHECK(edge.counted(Reason::idle_timeout, 1));
}

TEST_CASE("h2_proxy: what became of HTTP/1's h2c is not asked of a backend") {
    std::mutex mutex;
    std::string asked;
    Backend backend([&](Peer& peer) {
        const std::lock_guard lock(mutex);
        asked = peer.take_until("\r\n\r\n");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
        peer.rest();
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n").status() == 502);
    {
        const std::lock_guard lock(mutex);
        CHECK(asked.find("pgrade") == std::string::npos);
        CHECK(asked.find("HTTP2-Settings") == std::string::npos);
    }
    Http2Peer client(edge.client());
    h2::Listener& tunnel = client.open({.method = "CONNECT", .scheme = "http", .authority = "a", .path = "/", .protocol = "connect-udp"}, {}, false);
    REQUIRE(client.until([&] { return !tunnel.responses.empty(); }));
    CHECK(status_of(tunnel) == 501);
    CHECK(field_of(tunnel, "x-penstock-reason") == "bad_request");
}
