// SPDX-License-Identifier: Apache-2.0
// Who the client is, where proxies stand before us or behind us: through real sockets, on both rings.
#include "userspace/proxy/proxy_protocol.hpp"
#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

const std::string kGet = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
const Endpoint kClient = *Endpoint::parse("192.0.2.7:4096");
const Endpoint kServed = *Endpoint::parse("203.0.113.1:443");

void require_header(Snapshot& snapshot, fb::ProxyProtocol version, std::uint32_t hops = 0) {
    auto& address = snapshot.root.listeners[0]->client_address;
    address = std::make_unique<fb::ClientAddressT>();
    address->proxy_protocol = version;
    address->trusted_hops = hops;
}

// Says who it is told that the client is, then echoes.
void tell_header(Peer& peer) {
    std::string first = peer.take(6);
    ProxyHeader header;
    if (first == "PROXY ") {
        first += peer.take_until("\r\n");
    } else {
        first += peer.take(10);
        first += peer.take(static_cast<std::uint8_t>(first[15]));
    }
    const bool done = parse_proxy_header(first, fb::ProxyProtocol::Any, header) == ProxyProgress::done;
    const std::string told = !done ? "junk" : header.source ? header.source->text() + " " + header.destination->text() : "unknown";
    for (int number = 1;; ++number) {
        if (!peer.message().whole) {
            return;
        }
        const std::string body = told + " " + std::to_string(number);
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
}

Snapshot telling(const Endpoint& backend, fb::ProxyProtocol version) {
    Snapshot snapshot = http_snapshot({});
    snapshot.backends("web", {backend}, fb::BackendProtocol::Http1, [version](fb::BackendSetT& set) { set.proxy_protocol = version; });
    return snapshot;
}

}  // namespace

TEST_CASE("client_address: the PROXY protocol's client is the one that backends hear of, in however many pieces it comes") {
    const ring::Kind kind = ring_kind();
    Backend backend(echo);
    for (const fb::ProxyProtocol version : {fb::ProxyProtocol::V1, fb::ProxyProtocol::V2, fb::ProxyProtocol::Any}) {
        Snapshot snapshot = http_snapshot({backend.at()});
        require_header(snapshot, version);
        Edge edge(kind, snapshot);
        Peer whole = edge.client();
        CHECK(whole.ask(proxy_header(version, kClient, kServed) + kGet).body.find("X-Forwarded-For: 192.0.2.7\r\n") != std::string::npos);
        CHECK(whole.ask(kGet).status() == 200);  // once a connection
        Peer pieces = edge.client();
        for (const char letter : proxy_header(version, kClient, kServed)) {
            pieces.send(std::string(1, letter));
            std::this_thread::sleep_for(1ms);
        }
        CHECK(pieces.ask(kGet).body.find("X-Forwarded-For: 192.0.2.7\r\n") != std::string::npos);
        // The proxy speaks for itself, as its health checks do.
        CHECK(edge.client().ask(proxy_header(version, std::nullopt, std::nullopt) + kGet).body.find("X-Forwarded-For: 127.0.0.1\r\n") != std::string::npos);
    }
}

TEST_CASE("client_address: a connection without the header, or with half of it, ends") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    snapshot.root.limits->request_header_ms = 100;
    require_header(snapshot, fb::ProxyProtocol::V2);
    Edge edge(ring_kind(), snapshot);
    for (const std::string& first : {kGet, proxy_header(fb::ProxyProtocol::V1, kClient, kServed) + kGet}) {
        Peer client = edge.client();
        client.send(first);
        CHECK(client.ended());
    }
    CHECK(edge.counted(Reason::proxy_header, 2));
    Peer half = edge.client();
    half.send(proxy_header(fb::ProxyProtocol::V2, kClient, kServed).substr(0, 20));
    CHECK(half.ended());
    CHECK(edge.counted(Reason::header_timeout));
    CHECK(backend.connections() == 0);
}

TEST_CASE("client_address: the header comes before TLS, and before bytes that are nobody's business") {
    const ring::Kind kind = ring_kind();
    const std::string header = proxy_header(fb::ProxyProtocol::V2, kClient, kServed);
    SECTION("TCP") {
        Backend backend([](Peer& peer) { peer.send("got " + peer.take(5)); });
        Snapshot snapshot;
        snapshot.backends("web", {backend.at()}, fb::BackendProtocol::Raw);
        snapshot.host("all", {RuleSpec{}});
        snapshot.port(fb::PortMode::Tcp, {snapshot.listener(fb::ListenerMode::Tcp, "", {{"", "all"}})});
        require_header(snapshot, fb::ProxyProtocol::Any);
        Edge edge(kind, snapshot);
        Peer client = edge.client();
        client.send(header + "hello");
        CHECK(client.take(9) == "got hello");
    }
    SECTION("a listener of the port asks for it: nothing is read without it") {
        Snapshot snapshot = tls_snapshot(fb::ListenerMode::Https);
        require_header(snapshot, fb::ProxyProtocol::Any);
        Edge edge(kind, snapshot);
        CHECK_FALSE(TlsClient(edge.at(), "a.example").connected);
        CHECK(edge.counted(Reason::proxy_header));
        Peer client = edge.client();
        client.send(header + "no TLS");
        CHECK(client.ended());
        CHECK(edge.counted(Reason::tls_not_tls));
    }
}

TEST_CASE("client_address: a backend is told whom it speaks to, and no other client gets its connection") {
    const ring::Kind kind = ring_kind();
    for (const fb::ProxyProtocol version : {fb::ProxyProtocol::V1, fb::ProxyProtocol::V2}) {
        Backend backend(tell_header);
        Snapshot snapshot = telling(backend.at(), version);
        {
            Edge edge(kind, snapshot);
            for (int i = 1; i <= 3; ++i) {
                Peer client = edge.client();
                const std::string me = local_of(client.fd()).text() + " " + edge.at().text();
                CHECK(client.ask(kGet).body == me + " 1");
                CHECK(client.ask(kGet).body == me + " 1");
            }
        }
        require_header(snapshot, fb::ProxyProtocol::Any);
        Edge edge(kind, snapshot);
        CHECK(edge.client().ask(proxy_header(version, kClient, kServed) + kGet).body == kClient.text() + " " + kServed.text() + " 1");
    }
}

TEST_CASE("client_address: hops that are trusted say who the client was") {
    Backend backend(echo);
    Snapshot snapshot = http_snapshot({backend.at()});
    require_header(snapshot, fb::ProxyProtocol::None, 1);
    Edge edge(ring_kind(), snapshot);
    const Message believed = edge.client().ask("GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"
                                               "X-Forwarded-Host: shop.example\r\nForwarded: for=192.0.2.7\r\n\r\n");
    CHECK(believed.body.find("X-Forwarded-For: 6.6.6.6, 192.0.2.7, 127.0.0.1\r\n") != std::string::npos);
    CHECK(believed.body.find("X-Forwarded-Proto: https\r\n") != std::string::npos);
    CHECK(believed.body.find("X-Forwarded-Host: shop.example\r\n") != std::string::npos);
    CHECK(believed.body.find("Forwarded: for=192.0.2.7, for=127.0.0.1;host=a.example;proto=http\r\n") != std::string::npos);
    const Message stranger = edge.client().ask("GET / HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.7\r\n\r\n");
    CHECK(stranger.body.find("X-Forwarded-Proto: http\r\n") != std::string::npos);
    CHECK(stranger.body.find("\r\nForwarded:") == std::string::npos);
}
