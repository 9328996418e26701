// SPDX-License-Identifier: Apache-2.0
// Backends of HTTP/2 through real sockets; every case runs on both rings.
#include "userspace/proxy/test_http2.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// Answers each request with its method, path, fields and body, and trailers that count the bytes.
void echo_http2(Peer& peer) {
    Http2Peer server(std::move(peer), http::H2Role::server);
    server.until([&] {
        for (auto& [id, stream] : server.side().owner.streams) {
            if (stream->stream == nullptr || stream->answered || !stream->ended) {
                continue;
            }
            stream->answered = true;
            const auto& head = stream->request.head;
            std::string text = std::string(head.method) + " " + std::string(head.target) + "\n";
            for (const auto& field : head.headers) {
                text += std::string(field.name) + ": " + std::string(field.value) + "\n";
            }
            http::Headers fields;
            fields.add("x-kind", "http2");
            stream->stream->respond(200, fields, false);
            stream->stream->send_own(text + stream->body, 1000);
            http::Headers trailers;
            const std::string bytes = std::to_string(stream->body.size());
            trailers.add("x-bytes", bytes);
            stream->stream->end(trailers);
        }
        return false;
    });
}

Snapshot http2_snapshot(const Endpoint& at, const RuleSpec& rule = {}) {
    Snapshot snapshot = http_snapshot({}, {rule});
    snapshot.backends("web", {at}, fb::BackendProtocol::Http2);
    return snapshot;
}

}  // namespace

TEST_CASE("h2_backend: clients of every version reach it, over one connection") {
    Backend backend(echo_http2);
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    Peer plain = edge.client();
    for (int i = 0; i < 5; ++i) {
        const Message answer = plain.ask("POST /a?b HTTP/1.1\r\nHost: shop.example\r\nTE: trailers\r\nContent-Length: 5\r\n\r\nhello");
        CHECK(answer.status() == 200);
        CHECK(answer.field("x-kind") == "http2");
        CHECK(answer.body.starts_with("POST /a?b\nhost: shop.example\n"));
        CHECK(answer.body.find("te: trailers\n") != std::string::npos);
        CHECK(answer.body.find("x-forwarded-for: 127.0.0.1\n") != std::string::npos);
        CHECK(answer.body.find("content-length: 5\n") != std::string::npos);
        CHECK(answer.body.ends_with("hello"));
        CHECK(answer.trailers == "x-bytes: 5\r\n");
    }
    Http2Peer client(edge.client());
    std::vector<h2::Listener*> streams;
    for (int i = 0; i < 40; ++i) {
        streams.push_back(&client.get("/" + std::to_string(i)));
    }
    for (h2::Listener* stream : streams) {
        REQUIRE(client.done(*stream));
        CHECK(status_of(*stream) == 200);
        CHECK(stream->trailers.fields.find("x-bytes").value_or("-") == "0");
    }
    CHECK(backend.connections() == 1);
}

TEST_CASE("h2_backend: a rewritten host is the authority that it sees") {
    Backend backend(echo_http2);
    RuleSpec rule;
    rule.rule.filters = std::make_unique<fb::FiltersT>();
    rule.rule.filters->rewrite = std::make_unique<fb::RewriteT>();
    rule.rule.filters->rewrite->hostname = "inside.example";
    Edge edge(ring_kind(), http2_snapshot(backend.at(), rule));
    const Message answer = edge.client().ask("GET /a HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    CHECK(answer.body.starts_with("GET /a\nhost: inside.example\n"));
    CHECK(answer.body.find("x-forwarded-host: shop.example\n") != std::string::npos);
}

TEST_CASE("h2_backend: large bodies pass both ways") {
    Backend backend(echo_http2);
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    const std::string body = pattern(2'000'000);
    Peer plain = edge.client();
    const Message answer = plain.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + body);
    CHECK(answer.status() == 200);
    CHECK(answer.body.ends_with(body));
    Http2Peer client(edge.client());
    h2::Listener& stream = client.open({"POST", "http", "a", "/"}, {}, false);
    stream.stream->send(body, 1000);
    stream.stream->end();
    REQUIRE(client.done(stream));
    CHECK(stream.body.ends_with(body));
}

TEST_CASE("h2_backend: a request that the backend has not looked at is sent again, whatever its method") {
    std::atomic<int> asked = 0;
    Backend backend([&](Peer& peer) {
        Http2Peer server(std::move(peer), http::H2Role::server);
        server.until([&] {
            for (auto& [id, stream] : server.side().owner.streams) {
                if (stream->stream == nullptr || stream->answered) {
                    continue;
                }
                stream->answered = true;
                if (asked++ == 0) {
                    stream->stream->reset(http::H2Code::refused_stream);
                } else {
                    stream->stream->respond(204, {}, true);
                }
            }
            return false;
        });
    });
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    Peer client = edge.client();
    CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status() == 204);
    CHECK(asked == 2);
}

TEST_CASE("h2_backend: a request whose body is still to come is sent again as it was") {
    constexpr int kOthers = 100;
    std::atomic<bool> asked = false, refused = false;
    std::mutex mutex;
    std::string mine;
    Backend backend([&](Peer& peer) {
        Http2Peer server(std::move(peer), http::H2Role::server);
        int others = 0;
        server.until([&] {
            for (auto& [id, stream] : server.side().owner.streams) {
                if (stream->stream == nullptr || stream->answered) {
                    continue;
                }
                if (stream->request.head.method == "GET") {
                    stream->answered = true;
                    ++others;
                    stream->stream->respond(204, {}, true);
                } else if (!refused) {
                    asked = true;
                    if (others >= kOthers) {
                        stream->answered = refused = true;
                        stream->stream->reset(http::H2Code::refused_stream);
                    }
                } else if (stream->ended) {
                    stream->answered = true;
                    const std::lock_guard lock(mutex);
                    mine = std::string(stream->request.head.headers.find("x-mine").value_or(""));
                    stream->stream->respond(204, {}, true);
                }
            }
            return false;
        });
    });
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    const std::string value(3000, 'a');
    Peer client = edge.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nX-Mine: " + value + "\r\nContent-Length: 10\r\n\r\n");
    REQUIRE(Edge::eventually([&] { return asked.load(); }));
    // The buffers that were given back go to others, who fill them.
    for (int i = 0; i <= kOthers; ++i) {
        CHECK(edge.client().ask("GET /" + std::string(3500, 'b') + " HTTP/1.1\r\nHost: b\r\n\r\n").status() == 204);
    }
    REQUIRE(Edge::eventually([&] { return refused.load(); }));
    client.send("0123456789");
    CHECK(client.message().status() == 204);
    const std::lock_guard lock(mutex);
    CHECK(mine == value);
}

TEST_CASE("h2_backend: one that goes away is left, and one that breaks off half an answer breaks the client's") {
    std::atomic<int> connections = 0;
    Backend backend([&](Peer& peer) {
        const int number = connections++;
        Http2Peer server(std::move(peer), http::H2Role::server);
        int answers = 0;
        server.until([&] {
            for (auto& [id, stream] : server.side().owner.streams) {
                if (stream->stream == nullptr || stream->answered) {
                    continue;
                }
                stream->answered = true;
                http::Headers fields;
                fields.add("content-length", "10");
                stream->stream->respond(200, fields, false);
                stream->stream->send_own(number == 0 ? "0123456789" : "012", 1000);
                if (number == 0) {
                    stream->stream->end();
                    server.side().session.drain_now();
                }
                ++answers;
            }
            server.flush();
            if (number == 1 && answers == 1) {
                return true;  // and closes
            }
            return false;
        });
    });
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    Peer client = edge.client();
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "0123456789");
    CHECK(Edge::eventually([&] {
        bool none = false;
        edge.on_thread([&](Context& context) { none = context.h2_pool.find({backend.at(), nullptr}) == nullptr; });
        return none;
    }));
    const Message half = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK_FALSE(half.whole);
    CHECK(connections == 2);
}

TEST_CASE("h2_backend: connections to an endpoint that is gone are drained") {
    Backend backend(echo_http2);
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    edge.serve(http2_snapshot(nobody()));
    CHECK(Edge::eventually([&] {
        bool none = false;
        edge.on_thread([&](Context& context) { none = context.h2_pool.find({backend.at(), nullptr}) == nullptr; });
        return none;
    }));
}

TEST_CASE("h2_backend: connections that are one client's own end with the client's, and nobody else's do") {
    std::atomic<int> ended = 0, copies_ended = 0;
    const auto told = [](std::atomic<int>& count) {
        return [&count](Peer& peer) {
            // The PROXY protocol's header, and no byte of what follows.
            for (char byte = 0; byte != '\n' && uninterrupted([&] { return ::recv(peer.fd(), &byte, 1, 0); }) == 1;) {
            }
            echo_http2(peer);
            ++count;
        };
    };
    Backend backend(told(ended)), mirror(told(copies_ended));
    RuleSpec rule;
    rule.rule.filters = std::make_unique<fb::FiltersT>();
    rule.rule.filters->mirrors.push_back(std::make_unique<fb::MirrorT>());
    rule.rule.filters->mirrors[0]->backends = "mirror";
    Snapshot snapshot = http_snapshot({}, {rule});
    const auto tells = [](fb::BackendSetT& set) { set.proxy_protocol = fb::ProxyProtocol::V1; };
    snapshot.backends("web", {backend.at()}, fb::BackendProtocol::Http2, tells);
    snapshot.backends("mirror", {mirror.at()}, fb::BackendProtocol::Http2, tells);
    Edge edge(ring_kind(), snapshot);
    const std::string get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    Peer stays = edge.client();
    CHECK(stays.ask(get).status() == 200);
    {
        Peer goes = edge.client();
        CHECK(goes.ask(get).status() == 200);
        CHECK(goes.ask(get).status() == 200);
        Http2Peer too(edge.client());
        h2::Listener& stream = too.get("/");
        CHECK(too.done(stream));
        CHECK(ended == 0);
        CHECK(backend.connections() == 3);
    }
    CHECK(Edge::eventually([&] { return ended == 2 && copies_ended == 2; }));
    CHECK(stays.ask(get).status() == 200);
    CHECK(backend.connections() == 3);
}

TEST_CASE("h2_backend: an extended CONNECT to a backend that knows no upgrade gives no tunnel") {
    Backend backend(echo_http2);
    Edge edge(ring_kind(), http2_snapshot(backend.at()));
    Http2Peer client(edge.client());
    REQUIRE(client.until([&] { return client.side().session.peer_connect_protocol(); }));
    h2::Listener& stream = client.open({"CONNECT", "http", "a", "/chat", "websocket"}, {}, false);
    stream.stream->end();
    REQUIRE(client.done(stream));
    CHECK(status_of(stream) == 502);
    CHECK(field_of(stream, "x-penstock-reason") == "backend_invalid");
    CHECK(stream.body.find("GET /chat") == std::string::npos);
}
