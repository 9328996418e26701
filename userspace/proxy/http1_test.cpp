// SPDX-License-Identifier: Apache-2.0
// The corners of HTTP/1.x between a client and a backend: continuations, interim answers, trailers, bodies where none belongs, the
// older version on either side. Every case runs on both rings.
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

}  // namespace

TEST_CASE("http1: a client that does not wait for 100 and a backend that does not send it meet") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (int i = 0; i < 3; ++i) {
        const Message answer = client.ask("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
        CHECK(answer.status() == 200);
        CHECK(answer.body.ends_with("abc"));
        CHECK(answer.field("Connection") == "-");
    }
    CHECK(backend.connections() == 1);
}

TEST_CASE("http1: a client that waits for 100 gets it although its chunks come late, or the final answer instead") {
    Backend backend([](Peer& peer) {
        for (;;) {
            Message request;
            request.head = peer.take_until("\r\n\r\n");
            if (request.head.empty()) {
                return;
            }
            if (request.head.starts_with("PUT /late")) {
                peer.send("HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
                peer.take_until("0\r\n\r\n");
                peer.send(kOk);
            } else {
                peer.send("HTTP/1.1 401 Who\r\nContent-Length: 3\r\n\r\nwho");
                peer.rest();
            }
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    client.send("PUT /late HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(client.take_until("\r\n\r\n") == "HTTP/1.1 102 Processing\r\n\r\n");
    CHECK(client.take_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    std::this_thread::sleep_for(20ms);
    CHECK(client.ask("3\r\nabc\r\n0\r\n\r\n").body == "ok");
    const Message answer = client.ask("PUT /now HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n");
    CHECK(answer.status() == 401);
    CHECK(answer.body == "who");
    CHECK(answer.field("Connection") == "close");
    CHECK(client.ended());
}

TEST_CASE("http1: a client that waits for 100 from a backend that waits for the body ends when time is up") {
    Backend backend([](Peer& peer) { peer.message(); });
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->body_stall_ms = 200;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(client.ended());
    CHECK(edge.counted(Reason::idle_timeout));
}

TEST_CASE("http1: interim answers reach clients of HTTP/1.1 only, in their order") {
    Backend backend(always("HTTP/1.1 102 Processing\r\nX: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\n" + kOk));
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    for (int i = 0; i < 2; ++i) {
        CHECK(client.ask(kGet).status() == 102);
        CHECK(client.message().field("Link") == "</a>");
        CHECK(client.message().field("Link") == "</b>");
        CHECK(client.message().body == "ok");
    }
    CHECK(edge.client().ask("GET / HTTP/1.0\r\n\r\n").status() == 200);
}

TEST_CASE("http1: interim answers without end are cut off") {
    Backend backend([](Peer& peer) {
        const Message request = peer.message();
        for (int i = 0; i < (request.head.starts_with("GET /some") ? 100 : 101); ++i) {
            peer.send("HTTP/1.1 102 Processing\r\n\r\n");
        }
        peer.send(kOk);
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    CHECK(edge.client().ask("GET /some HTTP/1.0\r\n\r\n").status() == 200);
    CHECK(edge.client().ask("GET /many HTTP/1.0\r\n\r\n").status() == 502);
    CHECK(edge.counted(Reason::backend_invalid));
}

TEST_CASE("http1: an interim answer that claims a body is refused") {
    Backend backend(always("HTTP/1.1 103 Early Hints\r\nContent-Length: 19\r\n\r\n" + kOk));
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    CHECK(edge.client().ask(kGet).status() == 502);
    CHECK(edge.counted(Reason::backend_invalid));
}

TEST_CASE("http1: a body where none belongs is not taken for the next answer") {
    const std::string poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
    const std::string length = "Content-Length: " + std::to_string(poison.size()) + "\r\n";
    const std::pair<std::string, std::string> rows[] = {
        {"GET", "HTTP/1.1 204 No Content\r\n" + length + "\r\n"},
        {"GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {"GET", "HTTP/1.1 304 Not Modified\r\n" + length + "\r\n"},
        {"HEAD", "HTTP/1.1 200 OK\r\n" + length + "\r\n"},
        {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
    };
    const ring::Kind kind = ring_kind();
    for (const auto& [method, head] : rows) {
        INFO(method << " " << head);
        Backend backend([&](Peer& peer) {
            if (peer.message().head.starts_with(method + " /first")) {
                peer.send(head + poison);
                peer.rest();
                return;
            }
            peer.send(kOk);
        });
        Edge edge(kind, http_snapshot({backend.at()}));
        Peer client = edge.client();
        const Message answer = client.ask(method + " /first HTTP/1.1\r\nHost: a\r\n\r\n", method);
        CHECK(answer.status() == std::stoi(head.substr(9, 3)));
        CHECK(answer.field("Content-Length") == (head.find(" 204 ") != std::string::npos ? "-" : head.find(": 0") != std::string::npos ? "0" : std::to_string(poison.size())));
        CHECK(client.ask(kGet).body == "ok");
        CHECK(backend.connections() == 2);
    }
}

TEST_CASE("http1: who can read trailers says so to the backend, and gets them") {
    std::string seen;
    Backend backend([&](Peer& peer) {
        for (Message request = peer.message(); request.whole; request = peer.message()) {
            seen = request.field("TE") + " / " + request.field("Connection");
            peer.send("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\nSet-Cookie: a\r\n\r\n");
        }
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    Message answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate;q=0.5, Trailers\r\nConnection: TE\r\n\r\n");
    CHECK(seen == "trailers / TE");
    CHECK(answer.body == "ok");
    CHECK(answer.field("Trailer") == "X-Sum");
    CHECK(answer.trailers == "X-Sum: 1\r\n");
    client.ask("GET / HTTP/1.1\r\nHost: a\r\nTE: deflate\r\nConnection: TE\r\n\r\n");
    CHECK(seen == "- / -");
    answer = edge.client().ask("GET / HTTP/1.0\r\n\r\n");
    CHECK(answer.body == "ok");
}

TEST_CASE("http1: a backend of HTTP/1.0 is kept only if it says so") {
    const std::pair<std::string, int> rows[] = {
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok", 1},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 3},
    };
    const ring::Kind kind = ring_kind();
    for (const auto& [answer, connections] : rows) {
        INFO(answer);
        Backend backend(always(answer));
        Edge edge(kind, http_snapshot({backend.at()}));
        Peer client = edge.client();
        for (int i = 0; i < 3; ++i) {
            CHECK(client.ask(kGet).body == "ok");
        }
        CHECK(backend.connections() == connections);
    }
}

TEST_CASE("http1: a client of HTTP/1.0 sends bodies by length, and its Expect goes no further") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    const Message answer = client.ask("POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc");
    CHECK(answer.status() == 200);
    CHECK(answer.body.starts_with("POST / HTTP/1.1\r\nHost: \r\n"));
    CHECK(answer.body.find("Expect") == std::string::npos);
    CHECK(answer.body.ends_with("abc"));
    CHECK(answer.field("Connection") == "keep-alive");
    CHECK(client.ask("GET / HTTP/1.0\r\n\r\n").field("Connection") == "close");
    CHECK(client.ended());
}

TEST_CASE("http1: requests of every shape in one pipeline are answered in order, then the connection ends as asked") {
    Backend backend(echo);
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    std::string many;
    for (int i = 0; i < 10; ++i) {
        const std::string target = " /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\n";
        many += "GET" + target + "\r\n";
        many += "POST" + target + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n0\r\nX: 1\r\n\r\n";
        many += "PUT" + target + "Content-Length: 3\r\n\r\nGET\r\n";  // an empty line too many, as old clients send it
    }
    client.send(many + "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + kGet);
    for (int i = 0; i < 10; ++i) {
        const std::string target = " /" + std::to_string(i) + " ";
        CHECK(client.message().body.starts_with("GET" + target));
        const Message chunked = client.message();
        CHECK(chunked.body.starts_with("POST" + target));
        CHECK(chunked.body.ends_with("\r\n\r\nhi"));
        const Message length = client.message();
        CHECK(length.body.starts_with("PUT" + target));
        CHECK(length.body.ends_with("\r\n\r\nGET"));
    }
    const Message last = client.message();
    CHECK(last.body.starts_with("GET /last "));
    CHECK(last.field("Connection") == "close");
    CHECK(client.ended());
    CHECK(backend.connections() == 1);
}

TEST_CASE("http1: a request that may not be passed on is answered here") {
    Backend backend(always(kOk));
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    const auto ask = [&](const std::string& method, const std::string& hops) {
        return edge.client().ask(method + " /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: " + hops + "\r\n\r\n");
    };
    const Message options = ask("OPTIONS", "0");
    CHECK(options.status() == 200);
    CHECK(options.field("Allow").starts_with("GET, HEAD, "));
    CHECK(options.body.empty());
    const Message trace = ask("TRACE", "0");
    CHECK(trace.status() == 501);
    CHECK(trace.field("X-Penstock-Reason") == "bad_request");
    CHECK(backend.connections() == 0);
    CHECK(ask("OPTIONS", "1").body == ask("GET", "0").body);
    CHECK(backend.connections() != 0);
}
