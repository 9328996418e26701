// SPDX-License-Identifier: Apache-2.0
// What the whole worker serves, through real sockets, on both kinds of loop: the test is keeper, client and backend.
#include "userspace/worker/testing.hpp"

using namespace penstock;
using namespace penstock::worker::testing;

TEST_CASE("worker: requests on one connection, backend connections reused, the client named") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend(echo_http("one"));
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        Client client(edge.port);
        for (int i = 0; i < 10; ++i) {
            client.send("GET /x?y=" + std::to_string(i) + " HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: x-drop\r\nX-Drop: 1\r\n\r\n");
            const auto answer = client.answer();
            REQUIRE(answer.status == 200);
            CHECK(answer.body.find("GET /x?y=" + std::to_string(i) + " HTTP/1.1\r\nHost: a.test\r\n") != std::string::npos);
            CHECK(answer.body.find("X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\n") != std::string::npos);
            CHECK(answer.body.find("X-Drop") == std::string::npos);
        }
        CHECK(backend.connections == 1);
        CHECK(harness.total(&SlotStats::backend_reused_total) == 9);
    });
}

TEST_CASE("worker: pipelined requests are answered in order") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend(echo_http("one"));
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        Client client(edge.port);
        std::string all;
        for (int i = 0; i < 20; ++i) {
            all += "POST /" + std::to_string(i) + " HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc";
        }
        client.send(all);
        for (int i = 0; i < 20; ++i) {
            const auto answer = client.answer();
            CHECK(answer.body.find("POST /" + std::to_string(i) + " ") != std::string::npos);
            CHECK(answer.body.ends_with("\r\n\r\nabc"));
        }
    });
}

TEST_CASE("worker: large bodies both ways at once, by length and in chunks") {
    on_both_kinds([](ring::Kind kind) {
        // Sends back what it reads while it reads: only a proxy that moves both directions at once gets through.
        Backend backend([](int fd) {
            char buffer[16384];
            std::string head;
            while (head.find("\r\n\r\n") == std::string::npos) {
                const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
                if (got <= 0) {
                    return;
                }
                head.append(buffer, static_cast<std::size_t>(got));
            }
            send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8000000\r\n\r\n");
            std::size_t left = 8'000'000;
            std::string data = head.substr(head.find("\r\n\r\n") + 4);
            while (left > 0) {
                send_all(fd, data);
                left -= data.size();
                if (left == 0) {
                    break;
                }
                const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
                if (got <= 0) {
                    return;
                }
                data.assign(buffer, static_cast<std::size_t>(got));
            }
        });
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        Client client(edge.port);
        std::string body(8'000'000, 'x');
        for (std::size_t i = 0; i < body.size(); i += 97) {
            body[i] = static_cast<char>('a' + i % 26);
        }
        std::thread sender([&] {
            client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 8000000\r\n\r\n");
            client.send(body);
        });
        const auto answer = client.answer();
        sender.join();
        CHECK(answer.status == 200);
        CHECK(answer.body == body);
    });
}

TEST_CASE("worker: chunked requests and answers, trailers, 100-continue, HEAD, HTTP/1.0") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend([](int fd) {
            std::string all;
            char buffer[4096];
            for (;;) {
                while (all.find("\r\n\r\n") == std::string::npos) {
                    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
                    if (got <= 0) {
                        return;
                    }
                    all.append(buffer, static_cast<std::size_t>(got));
                }
                const bool head = all.starts_with("HEAD");
                const bool expects = all.find("100-continue") != std::string::npos;
                if (expects) {
                    send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n");
                }
                const bool chunked = all.find("chunked\r\n") != std::string::npos;
                all.erase(0, all.find("\r\n\r\n") + 4);
                std::string body;
                while (chunked && all.find("0\r\n\r\n") == std::string::npos) {
                    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
                    if (got <= 0) {
                        return;
                    }
                    all.append(buffer, static_cast<std::size_t>(got));
                }
                const std::string seen = all;
                all.clear();
                if (head) {
                    send_all(fd, "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n");
                } else {
                    send_all(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n5\r\nhello\r\n");
                    send_all(fd, "6\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n");
                }
            }
        });
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        Client client(edge.port);
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n");
        CHECK(client.answer().status == 100);
        client.send("3\r\nabc\r\n");
        client.send("0\r\n\r\n");
        auto answer = client.answer();
        CHECK(answer.status == 200);
        CHECK(answer.body.starts_with("hello world"));
        CHECK(answer.body.find("|trailers") != std::string::npos);
        client.until("\r\n");  // the empty line after the trailer
        client.send("HEAD / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        answer = client.answer(true);
        CHECK(answer.header("Content-Length") == "77");
        client.send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
        answer = client.answer();
        CHECK(answer.head.find("Transfer-Encoding") == std::string::npos);
        CHECK(answer.body == "hello world");  // up to the end of the connection
    });
}

TEST_CASE("worker: refusals say why, keep the connection where they can, and count") {
    on_both_kinds([](ring::Kind kind) {
        std::uint16_t dead = 0;
        const Fd unheard = bound(SOCK_STREAM, dead, false);  // a port that nobody else gets meanwhile
        Backend silent([](int fd) { read_request(fd); char b; ::recv(fd, &b, 1, 0); });
        Backend closing([](int fd) { read_request(fd); });
        Backend nonsense([](int fd) { read_request(fd); send_all(fd, "ICY 200 OK\r\n\r\n"); });
        Harness harness(kind);
        const std::uint16_t port = harness.open("tcp/http");
        Snapshot snapshot;
        snapshot.root.limits->body_stall_ms = 300;
        snapshot.root.limits->request_header_ms = 300;
        snapshot.root.limits->header_bytes_max = 2000;
        snapshot.root.limits->body_bytes_max = 10;
        snapshot.backends("empty", {});
        snapshot.backends("dead", {at(dead)});
        snapshot.backends("silent", {at(silent.port)});
        snapshot.backends("closing", {at(closing.port)});
        snapshot.backends("nonsense", {at(nonsense.port)});
        std::vector<RuleSpec> rules;
        for (const char* name : {"empty", "dead", "silent", "closing", "nonsense"}) {
            rules.push_back({.path = std::string("/") + name, .backends = {{name, 1}}});
        }
        rules.push_back({.path = "/unresolved", .backends = {{"", 1}}});
        rules.push_back({.path = "/late", .backends = {{"silent", 1}}});
        rules.back().rule.request_ms = 100;
        snapshot.host("h", rules);
        snapshot.port(fb::PortMode::Http, {snapshot.listener(fb::ListenerMode::Http, "*.test", {{"a.test", "h"}})}, "tcp/http", port);
        harness.activate();
        REQUIRE(harness.publish(snapshot).refused.empty());

        struct Row {
            const char* request;
            int status;
            Reason reason;
            bool stays;
        };
        const std::string long_head = "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + std::string(3000, 'x') + "\r\n\r\n";
        for (const Row& row : std::initializer_list<Row>{
                 {"GET /none HTTP/1.1\r\nHost: a.test\r\n\r\n", 404, Reason::no_route, true},
                 {"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n", 404, Reason::no_host, true},
                 {"GET / HTTP/1.1\r\nHost: other\r\n\r\n", 404, Reason::no_host, true},
                 {"GET /unresolved HTTP/1.1\r\nHost: a.test\r\n\r\n", 500, Reason::unresolved_backend, true},
                 {"GET /empty HTTP/1.1\r\nHost: a.test\r\n\r\n", 503, Reason::no_backend, true},
                 {"GET /dead HTTP/1.1\r\nHost: a.test\r\n\r\n", 503, Reason::backend_connect, true},
                 {"GET /silent HTTP/1.1\r\nHost: a.test\r\n\r\n", 504, Reason::backend_timeout, true},
                 {"GET /late HTTP/1.1\r\nHost: a.test\r\n\r\n", 504, Reason::request_timeout, true},
                 {"GET /closing HTTP/1.1\r\nHost: a.test\r\n\r\n", 502, Reason::backend_closed, true},
                 {"GET /nonsense HTTP/1.1\r\nHost: a.test\r\n\r\n", 502, Reason::backend_invalid, true},
                 {"GET /a/../../b HTTP/1.1\r\nHost: a.test\r\n\r\n", 400, Reason::bad_request, true},
                 {"GET / HTTP/1.1\r\nHost : a.test\r\n\r\n", 400, Reason::bad_request, false},
                 {"GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", 505, Reason::unsupported_version, false},
                 {"POST /silent HTTP/1.1\r\nHost: a.test\r\nContent-Length: 11\r\n\r\n", 413, Reason::body_too_large, false},
                 {"GET / HTTP/1.1\r\nHos", 408, Reason::header_timeout, false},
                 {long_head.c_str(), 431, Reason::header_too_large, false},
             }) {
            INFO(row.request);
            const std::uint64_t before = harness.reason(row.reason);
            Client client(port);
            client.send(row.request);
            const auto answer = client.answer();
            CHECK(answer.status == row.status);
            CHECK(answer.header("X-Penstock-Reason") == info(row.reason).name);
            CHECK(harness.reason(row.reason) == before + 1);
            CHECK((answer.header("Connection") == "close") == !row.stays);
            if (row.stays) {
                client.send("GET /none HTTP/1.1\r\nHost: a.test\r\nAccept: application/json\r\n\r\n");
                CHECK(client.answer().body.starts_with("{\"status\":404"));
            } else {
                CHECK(client.rest().empty());
            }
        }
    });
}

TEST_CASE("worker: a kept connection that the backend closed is replaced without the client's notice") {
    on_both_kinds([](ring::Kind kind) {
        // Says keep-alive, takes one request per connection, and closes upon the second one's head.
        Backend backend([](int fd) {
            read_request(fd);
            send_all(fd, response("once"));
            char byte = 0;
            ::recv(fd, &byte, 1, 0);
            const linger hard = {1, 0};
            ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        });
        Harness harness(kind, 1);
        OneHost edge(harness, {backend.port});
        Client client(edge.port);
        for (int i = 0; i < 20; ++i) {
            client.send(kGet);
            CHECK(client.answer().body == "once");
        }
        CHECK(backend.connections == 20);
    });
}

TEST_CASE("worker: TCP and UDP are carried, with half-close, to the end") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend([](int fd) {
            std::string all;
            char buffer[65536];
            for (ssize_t got = ::recv(fd, buffer, sizeof buffer, 0); got > 0; got = ::recv(fd, buffer, sizeof buffer, 0)) {
                all.append(buffer, static_cast<std::size_t>(got));
            }
            send_all(fd, "got " + std::to_string(all.size()));  // after the client's end
        });
        std::uint16_t udp_port = 0;
        const Fd udp = bound(SOCK_DGRAM, udp_port);
        std::thread datagrams([&] {
            char buffer[2000];
            for (int i = 0; i < 4; ++i) {
                sockaddr_storage from = {};
                socklen_t size = sizeof from;
                const ssize_t got = ::recvfrom(udp.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
                ::sendto(udp.get(), buffer, static_cast<std::size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), size);
            }
        });
        Harness harness(kind);
        const std::uint16_t tcp_listen = harness.open("tcp/raw");
        const std::uint16_t udp_listen = harness.open("udp/raw", SOCK_DGRAM);
        Snapshot snapshot;
        snapshot.backends("t", {at(backend.port)}, fb::BackendProtocol::Raw);
        snapshot.backends("u", {at(udp_port)}, fb::BackendProtocol::Raw);
        for (const char* name : {"t", "u"}) {
            snapshot.host(std::string("host-") + name, {RuleSpec{.backends = {{name, 1}}}});
        }
        snapshot.port(fb::PortMode::Tcp, {snapshot.listener(fb::ListenerMode::Tcp, "", {{"", "host-t"}})}, "tcp/raw", tcp_listen);
        snapshot.port(fb::PortMode::Udp, {snapshot.listener(fb::ListenerMode::Udp, "", {{"", "host-u"}})}, "udp/raw", udp_listen);
        harness.activate();
        REQUIRE(harness.publish(snapshot).refused.empty());

        Client tcp(tcp_listen);
        tcp.send(std::string(3'000'000, 'x'));
        tcp.shutdown();
        CHECK(tcp.rest() == "got 3000000");
        for (int flow = 0; flow < 2; ++flow) {
            Client client(udp_listen, SOCK_DGRAM);
            for (const std::string text : {"one", "two"}) {
                client.send(text);
                CHECK(client.exactly(3) == text);
            }
        }
        datagrams.join();
    });
}
