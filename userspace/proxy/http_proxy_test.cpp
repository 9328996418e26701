// SPDX-License-Identifier: Apache-2.0
// HTTP through real sockets; every case runs on both rings.
#include "userspace/proxy/http_proxy.hpp"

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

TEST_CASE("http_proxy: a request reaches the backend with who asked, and its answer comes back") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    const Message answer = client.ask("GET /a/b?c=d HTTP/1.1\r\nHost: shop.example:8080\r\nAccept: x\r\nKeep-Alive: 5\r\nConnection: Keep-Alive, X-Mine\r\nX-Mine: 1\r\n\r\n");
    CHECK(answer.status() == 200);
    Message seen;
    seen.head = answer.body;
    CHECK(seen.start() == "GET /a/b?c=d HTTP/1.1");
    CHECK(seen.field("Host") == "shop.example:8080");
    CHECK(seen.field("Accept") == "x");
    CHECK(seen.field("X-Forwarded-For") == "127.0.0.1");
    CHECK(seen.field("X-Forwarded-Proto") == "http");
    CHECK(seen.field("X-Forwarded-Host") == "shop.example:8080");
    CHECK(seen.field("X-Request-Id") != "-");
    CHECK(seen.field("X-Mine") == "-");
    CHECK(seen.field("Keep-Alive") == "-");
    CHECK(seen.field("Connection") == "-");
}

TEST_CASE("http_proxy: connections are kept alive on both sides") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (int i = 0; i < 20; ++i) {
        const Message answer = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        REQUIRE(answer.status() == 200);
        CHECK(answer.body.ends_with("hello"));
        CHECK(answer.field("Connection") == "-");
    }
    CHECK(backend.connections() == 1);
    CHECK(edge.stats().backend_reused_total == 19);
    CHECK(edge.stats().requests_total == 20);
    CHECK(edge.stats().status_class[2] == 20);
}

TEST_CASE("http_proxy: pipelined requests are answered in order") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    std::string many;
    for (int i = 0; i < 50; ++i) {
        many += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n" + pattern(300);
    }
    client.send(many);
    for (int i = 0; i < 50; ++i) {
        const Message answer = client.message();
        REQUIRE(answer.status() == 200);
        CHECK(answer.body.starts_with("POST /" + std::to_string(i) + " "));
        CHECK(answer.body.ends_with(pattern(300)));
    }
}

TEST_CASE("http_proxy: a request in single bytes is the same request") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (const char byte : std::string("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n")) {
        client.send(std::string_view(&byte, 1));
    }
    const Message answer = client.message();
    CHECK(answer.status() == 200);
    CHECK(answer.body.ends_with("abcde"));
    CHECK(client.ask("GET /y HTTP/1.1\r\nHost: a\r\n\r\n").body.starts_with("GET /y "));
}

TEST_CASE("http_proxy: HTTP/1.0 clients are served as they expect") {
    Backend backend(always("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"));
    Backend fixed(always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"));
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    Message answer = client.ask("GET / HTTP/1.0\r\n\r\n");
    CHECK(answer.field("Transfer-Encoding") == "-");
    CHECK(answer.body == "ab");
    edge.serve(http_snapshot({fixed.at()}));
    Peer kept = edge.client();
    for (int i = 0; i < 2; ++i) {
        answer = kept.ask("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        CHECK(answer.field("Connection") == "keep-alive");
        CHECK(answer.body == "ab");
    }
    answer = kept.ask("GET / HTTP/1.0\r\n\r\n");
    CHECK(answer.field("Connection") == "close");
    CHECK(kept.ended());
}

TEST_CASE("http_proxy: Expect: 100-continue is the backend's to answer") {
    std::atomic<int> expected = 0;
    Backend backend([&](Peer& peer) {
        for (;;) {
            Message request;
            request.head = peer.take_until("\r\n\r\n");
            if (request.head.empty()) {
                return;
            }
            expected += request.field("Expect") == "100-continue";
            if (request.head.starts_with("PUT /no")) {
                peer.send("HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
                return;
            }
            peer.send("HTTP/1.1 100 Continue\r\n\r\n");
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + peer.take(3));
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (int i = 0; i < 2; ++i) {
        client.send("PUT /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
        CHECK(client.take_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
        CHECK(client.ask("abc").body == "abc");
    }
    const Message answer = client.ask("PUT /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(answer.status() == 413);
    CHECK(answer.field("Connection") == "close");  // whether the body comes after all is unknown
    CHECK(client.ended());
    CHECK(expected == 3);
}

TEST_CASE("http_proxy: an upgraded connection carries bytes both ways until both have ended") {
    Backend backend([](Peer& peer) {
        const Message request = peer.message();
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: " + request.field("Upgrade") + "\r\nX-Saw: " +
                  request.field("Connection") + "\r\n\r\nfirst words");
        for (std::string line = peer.take_until("\n"); !line.empty(); line = peer.take_until("\n")) {
            peer.send("<" + line);
        }
        peer.send("bye");
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    const Message answer = client.ask("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nearly\n");
    CHECK(answer.status() == 101);
    CHECK(answer.field("Upgrade") == "chat");
    CHECK(answer.field("X-Saw") == "upgrade");
    CHECK(client.take(11) == "first words");
    CHECK(client.take_until("\n") == "<early\n");
    client.send("more\n");
    CHECK(client.take_until("\n") == "<more\n");
    client.end_sending();
    CHECK(client.rest() == "bye");
}

TEST_CASE("http_proxy: a switch of protocols that nobody asked for is refused") {
    Backend backend([](Peer& peer) {
        peer.take_until("\r\n\r\n");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
        peer.rest();
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 502);
    Peer client = edge.client();  // a body that has not come whole leaves no place for another protocol
    CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\nContent-Length: 5\r\n\r\nab").status() == 502);
    // Nor may it be another protocol than was asked for, or none (RFC 9110 7.8).
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket, talk/2\r\n\r\n").status() == 502);
    CHECK(edge.counted(Reason::backend_invalid, 3));
    CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: talk/2, Chat\r\n\r\n").status() == 101);
}

TEST_CASE("http_proxy: snapshots change under load and nothing fails") {
    Backend one(always("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"));
    Backend two(always("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"));
    Edge edge(ring_kind(), http_snapshot({one.at()}));
    std::atomic<int> done = 0;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
        clients.emplace_back([&] {
            Peer client = edge.client();
            for (int i = 0; i < 2500; ++i) {
                const Message answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                wrong += answer.status() != 200 || !answer.whole;
                ++done;
            }
        });
    }
    for (int swap = 1; swap <= 50; ++swap) {
        while (done < swap * 190) {
            std::this_thread::sleep_for(1ms);
        }
        edge.serve(http_snapshot({swap % 2 == 0 ? one.at() : two.at()}));
    }
    for (std::thread& one_client : clients) {
        one_client.join();
    }
    CHECK(wrong == 0);
    CHECK(edge.stats().requests_total == 10'000);
    CHECK(edge.stats().connections_total == 4);
}

TEST_CASE("http_proxy: when the thread drains, connections end with their next answer, those that go on waiting without one") {
    std::promise<void> go;
    auto going = go.get_future().share();
    Backend backend([&](Peer& peer) {
        while (peer.message().whole) {
            if (going.valid()) {
                going.wait();
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
    });
    Backend quick(always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    Edge edge(ring_kind(), http_snapshot({quick.at()}));
    Peer idle = edge.client();
    Peer late = edge.client();
    for (Peer* one : {&idle, &late}) {
        CHECK(one->ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
    edge.serve(http_snapshot({backend.at()}));
    Peer busy = edge.client();
    busy.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(Edge::eventually([&] { return backend.connections() == 1; }));
    edge.on_thread([](Context& context) { context.drain(); });
    late.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");  // as if it had been on its way
    go.set_value();
    for (Peer* one : {&busy, &late}) {
        const Message answer = one->message();
        CHECK(answer.body == "ok");
        CHECK(answer.field("Connection") == "close");
        CHECK(one->ended());
    }
    edge.on_thread([](Context& context) { context.end_waiting(); });
    CHECK(idle.ended());
}
