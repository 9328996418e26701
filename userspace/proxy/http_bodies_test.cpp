// SPDX-License-Identifier: Apache-2.0
// Bodies, and who waits for whom, through real sockets; every case runs on both rings.
#include "userspace/proxy/http_proxy.hpp"

#include "userspace/proxy/test_bodies.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

TEST_CASE("http_proxy: large bodies go both ways at once, by length and by chunks, with trailers") {
    // The backend sends back what it gets while it still gets it.
    Backend backend([](Peer& peer) {
        for (;;) {
            Message request;
            request.head = peer.take_until("\r\n\r\n");
            if (request.head.empty()) {
                return;
            }
            if (const std::string length = request.field("Content-Length"); length != "-") {
                std::size_t left = std::stoul(length);
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + length + "\r\n\r\n");
                while (left > 0) {
                    const std::string piece = peer.take(std::min<std::size_t>(left, 10'000));
                    if (piece.empty() || !peer.send(piece)) {
                        return;
                    }
                    left -= piece.size();
                }
            } else {
                echo_chunks(peer);
            }
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    const std::string body = pattern(3'000'000);
    for (const bool chunked : {false, true}) {
        Peer client = edge.client();
        std::thread sender([&] {
            client.send("POST /up HTTP/1.1\r\nHost: a\r\n");
            if (!chunked) {
                client.send("Content-Length: " + std::to_string(body.size()) + "\r\n\r\n");
                client.send(body);
                return;
            }
            client.send("Transfer-Encoding: chunked\r\n\r\n");
            for (std::size_t at = 0; at < body.size(); at += 99'999) {
                const std::string piece = body.substr(at, 99'999);
                char size[20];
                snprintf(size, sizeof size, "%zx\r\n", piece.size());
                client.send(size + piece + "\r\n");
            }
            client.send("0\r\nX-Sum: 42\r\n\r\n");
        });
        const Message answer = client.message();
        sender.join();
        CHECK(answer.status() == 200);
        CHECK(answer.whole);
        CHECK((answer.body == body));
        CHECK(answer.trailers == (chunked ? "X-Sum: 42\r\n" : ""));
    }
}

TEST_CASE("http_proxy: a client that does not read stops the backend, and the other clients go on") {
    std::atomic<std::size_t> sent = 0;
    constexpr std::size_t kWhole = 64U << 20;
    Backend backend([&](Peer& peer) {
        const Message request = peer.message();
        if (!request.head.starts_with("GET /big")) {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            return;
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kWhole) + "\r\n\r\n");
        const std::string piece = pattern(1 << 16);
        while (sent < kWhole && peer.send(piece)) {
            sent += piece.size();
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer slow = edge.client();
    slow.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    std::size_t before = 1;
    CHECK(Edge::eventually([&] {  // it comes to rest long before the end
        std::this_thread::sleep_for(20ms);
        return std::exchange(before, sent.load()) == sent.load() && sent.load() > 0;
    }));
    CHECK(sent < kWhole / 2);
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "ok");
    const Message answer = slow.message();
    CHECK(answer.whole);
    CHECK(answer.body.size() == kWhole);
}

TEST_CASE("http_proxy: a backend that does not read stops the client") {
    std::promise<void> go;
    auto gone = go.get_future().share();
    Backend backend([&](Peer& peer) {
        peer.take_until("\r\n\r\n");
        gone.wait();
        const std::string body = peer.take(64U << 20);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n" + std::to_string(body.size()));
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    std::atomic<std::size_t> sent = 0;
    std::thread sender([&] {
        client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 67108864\r\n\r\n");
        const std::string piece = pattern(1 << 16);
        while (sent < (64U << 20) && client.send(piece)) {
            sent += piece.size();
        }
    });
    std::size_t before = 1;
    CHECK(Edge::eventually([&] {
        std::this_thread::sleep_for(20ms);
        return std::exchange(before, sent.load()) == sent.load() && sent.load() > 0;
    }));
    CHECK(sent < (32U << 20));
    go.set_value();
    CHECK(client.message().body == "67108864");
    sender.join();
}

TEST_CASE("http_proxy: answers without a body, by any rule, keep the connection in step") {
    struct Case {
        std::string method, answer;
        int status;
        std::string body;
        bool kept;
    };
    const Case cases[] = {
        {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 200, "", true},
        {"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, "", true},
        {"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
        {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", 304, "", true},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true},
        {"GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true},
        {"GET", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 103, "", true},
    };
    for (const Case& one : cases) {
        INFO(one.method << " " << one.answer);
        Backend backend(always(one.answer));
        Edge edge(ring::Kind::automatic, http_snapshot({backend.at()}));
        Peer client = edge.client();
        for (int i = 0; i < 2; ++i) {
            Message answer = client.ask(one.method + " / HTTP/1.1\r\nHost: a\r\n\r\n", one.method);
            CHECK(answer.status() == one.status);
            CHECK(answer.body == one.body);
            if (one.status == 103) {
                answer = client.message();
                CHECK(answer.body == "ok");
            }
        }
        CHECK(backend.connections() == 1);
    }
}

TEST_CASE("http_proxy: a body that ends with the backend's connection is framed for the client") {
    Backend backend([](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.0 200 OK\r\n\r\nall of it");
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    Message answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(answer.field("Transfer-Encoding") == "chunked");
    CHECK(answer.body == "all of it");
    CHECK(answer.whole);
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "all of it");  // the client's connection stays
    answer = edge.client().ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(answer.field("Transfer-Encoding") == "-");
    CHECK(answer.field("Connection") == "close");
    CHECK(answer.body == "all of it");
}
