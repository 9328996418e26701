// SPDX-License-Identifier: Apache-2.0
// The five kinds of listeners through real sockets, on both rings.
#include "userspace/proxy/ports.hpp"

#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// Sends back what comes, line by line, then says good-bye.
void echo_lines(Peer& peer) {
    for (std::string line = peer.take_until("\n"); !line.empty(); line = peer.take_until("\n")) {
        peer.send("<" + line);
    }
    peer.send("bye");
}

}  // namespace

TEST_CASE("ports: HTTPS is served under TLS 1.2 and 1.3, kept alive, and the backend is told") {
    Backend backend(echo);
    Edge edge(ring_kind(), tls_snapshot(fb::ListenerMode::Https, {backend.at()}));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsClient client(edge.at(), "a.example", version);
        REQUIRE(client.connected);
        for (int i = 0; i < 5; ++i) {
            const Message answer = client.ask("POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n\r\nhello");
            CHECK(answer.status() == 200);
            CHECK(answer.body.ends_with("hello"));
            CHECK(answer.body.find("X-Forwarded-Proto: https\r\n") != std::string::npos);
        }
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n").status() == 200);
        CHECK(client.ended());
    }
    CHECK(edge.stats().tls_handshakes_total == 2);
    CHECK(edge.stats().requests_total == 12);
}

TEST_CASE("ports: large bodies go through TLS both ways") {
    Backend backend([](Peer& peer) {
        const Message request = peer.message();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body);
    });
    Edge edge(ring_kind(), tls_snapshot(fb::ListenerMode::Https, {backend.at()}));
    TlsClient client(edge.at(), "a.example");
    const std::string body = pattern(2'000'000);
    client.send("PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
    client.send(body);
    const Message answer = client.ask("");
    CHECK(answer.status() == 200);
    CHECK((answer.body == body));
}

TEST_CASE("ports: the SNI's listener serves its own hosts only") {
    Backend backend(always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    Edge edge(ring_kind(), tls_snapshot(fb::ListenerMode::Https, {backend.at()}));
    struct Case {
        const char *name, *host;
        int status;
    };
    for (const Case& one : {Case{"a.example", "a.example", 200}, {"a.example", "A.Example:443", 200}, {"a.example", "b.example", 421},
                            {"b.example", "b.example", 200}, {"a.example", "c.example", 404}}) {
        INFO(one.name << " " << one.host);
        TlsClient client(edge.at(), one.name);
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: " + std::string(one.host) + "\r\n\r\n").status() == one.status);
    }
    CHECK_FALSE(TlsClient(edge.at(), "c.example").connected);
}

TEST_CASE("ports: a listener without a certificate keeps its name from a wider one") {
    Backend backend(always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    Snapshot snapshot = tls_snapshot(fb::ListenerMode::Https, {backend.at()});
    snapshot.root.listeners[0]->hostname = "";
    snapshot.attach(0, "", "all");
    snapshot.root.listeners[1]->certificates = "";
    Edge edge(ring_kind(), snapshot);
    TlsClient wide(edge.at(), "a.example");
    CHECK(wide.ask("GET / HTTP/1.1\r\nHost: c.example\r\n\r\n").status() == 200);
    CHECK(wide.ask("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n").status() == 421);
    CHECK_FALSE(TlsClient(edge.at(), "b.example").connected);
    CHECK(edge.counted(Reason::tls_no_certificate));
}

TEST_CASE("ports: a terminated TLS listener carries the plain bytes, and the ends of both sides") {
    Backend backend(echo_lines);
    Edge edge(ring_kind(), tls_snapshot(fb::ListenerMode::TlsTerminate, {backend.at()}));
    TlsClient client(edge.at(), "b.example");
    REQUIRE(client.connected);
    client.send("one\n");
    CHECK(client.take_until("\n") == "<one\n");
    client.end();
    CHECK(client.take(3) == "bye");
    CHECK(client.ended());
}

TEST_CASE("ports: where TLS passes through, a name that nobody has is a reset, not an alert") {
    Snapshot snapshot = tls_snapshot(fb::ListenerMode::TlsPassthrough, {}, false);
    snapshot.root.listeners[1]->hostname = "*.wide.example";  // it has the host b.example alone
    Edge edge(ring_kind(), snapshot);
    for (const char* name : {"c.example", "x.wide.example"}) {
        INFO(name);
        Peer client = edge.client();
        client.send(tls::testing::first_hello(name));
        CHECK(client.rest().empty());
    }
    CHECK(edge.counted(Reason::tls_no_name, 2));
}

TEST_CASE("ports: passthrough hands the hello over as it came, in however many pieces") {
    // The backend itself terminates, by another edge: the client's session is with that one.
    Backend web(always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    const ring::Kind kind = ring_kind();
    Edge inner(kind, tls_snapshot(fb::ListenerMode::Https, {web.at()}));
    Edge outer(kind, tls_snapshot(fb::ListenerMode::TlsPassthrough, {inner.at()}, false));
    TlsClient client(outer.at(), "a.example");
    REQUIRE(client.connected);
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").body == "ok");
    CHECK(outer.stats().tls_handshakes_total == 0);
    CHECK(inner.stats().tls_handshakes_total == 1);
    CHECK_FALSE(TlsClient(outer.at(), "c.example").connected);
    // Whatever the cut, the backend gets all of it, and answers it.
    const std::string hello = tls::testing::first_hello("a.example");
    for (const std::size_t cut : {std::size_t{1}, std::size_t{5}, std::size_t{60}, hello.size() - 1}) {
        Peer peer = outer.client();
        peer.send(hello.substr(0, cut));
        std::this_thread::sleep_for(5ms);
        peer.send(hello.substr(cut));
        CHECK(peer.take(1) == "\x16");
    }
}

TEST_CASE("ports: a TLS listener's backend may speak first") {
    Backend backend([](Peer& peer) {
        peer.send("220 ready\n");
        echo_lines(peer);
    });
    Edge edge(ring_kind(), tls_snapshot(fb::ListenerMode::TlsTerminate, {backend.at()}));
    TlsClient client(edge.at(), "a.example");
    CHECK(client.take_until("\n") == "220 ready\n");
    client.send("one\n");
    CHECK(client.take_until("\n") == "<one\n");
}

TEST_CASE("ports: a TLS connection that no route has a backend for is closed") {
    const ring::Kind kind = ring_kind();
    struct Row {
        const char* why;
        std::vector<std::pair<std::string, std::uint32_t>> backends;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"no backendRefs", {}}, {"a reference that does not resolve", {{"", 1}}}, {"no ready endpoint", {{"web", 1}}}, {"nobody listens", {{"dead", 1}}}}) {
        for (const auto mode : {fb::ListenerMode::TlsPassthrough, fb::ListenerMode::TlsTerminate}) {
            INFO(row.why << " " << fb::EnumNameListenerMode(mode));
            Snapshot snapshot = tls_snapshot(mode);
            RuleSpec rule;
            rule.backends = row.backends;
            snapshot.host("all", {rule});
            snapshot.backends("dead", {nobody()});
            Edge edge(kind, snapshot);
            TlsClient client(edge.at(), "a.example");
            CHECK(client.connected == (mode == fb::ListenerMode::TlsTerminate));
            CHECK(client.take(1).empty());
        }
    }
}

TEST_CASE("ports: TCP is carried with half-close, and a reset is passed on") {
    Backend backend(echo_lines);
    Edge edge(ring_kind(), raw_snapshot(fb::PortMode::Tcp, fb::ListenerMode::Tcp, backend.at()));
    Peer client = edge.client();
    client.send("one\n");
    CHECK(client.take_until("\n") == "<one\n");
    client.end_sending();
    CHECK(client.rest() == "bye");
    CHECK(Edge::eventually([&] { return edge.stats().connections_open == 0; }));
    CHECK(edge.stats().listeners[0].bytes_in == 4);
    CHECK(edge.stats().listeners[0].bytes_out == 8);
    Peer rude = edge.client();
    rude.send("two\n");
    CHECK(rude.take_until("\n") == "<two\n");
    rude.reset();
    CHECK(Edge::eventually([&] { return edge.stats().connections_open == 0; }));
}

TEST_CASE("ports: UDP flows keep their backend and their answers their way back") {
    const Fd backend = bound(SOCK_DGRAM);
    Edge edge(ring_kind(), raw_snapshot(fb::PortMode::Udp, fb::ListenerMode::Udp, local_of(backend.get())));
    sockaddr_storage to{};
    const socklen_t to_size = edge.at().to_sockaddr(to);
    const Fd one = bound(SOCK_DGRAM);
    const Fd two = bound(SOCK_DGRAM);
    const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
    for (const Fd* fd : {&backend, &one, &two}) {
        ::setsockopt(fd->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    for (int round = 0; round < 3; ++round) {
        for (const Fd* client : {&one, &two}) {
            const std::string text = std::to_string(round) + std::to_string(client->get());
            REQUIRE(::sendto(client->get(), text.data(), text.size(), 0, reinterpret_cast<sockaddr*>(&to), to_size) > 0);
            char bytes[64];
            sockaddr_storage from{};
            socklen_t size = sizeof from;
            const ssize_t got = uninterrupted([&] { return ::recvfrom(backend.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size); });
            REQUIRE(got == static_cast<ssize_t>(text.size()));
            REQUIRE(::sendto(backend.get(), bytes, static_cast<std::size_t>(got), 0, reinterpret_cast<sockaddr*>(&from), size) == got);
            CHECK(uninterrupted([&] { return ::recv(client->get(), bytes, sizeof bytes, 0); }) == got);
            CHECK(std::string(bytes, static_cast<std::size_t>(got)) == text);
        }
    }
    CHECK(edge.stats().listeners[0].connections == 2);
}
