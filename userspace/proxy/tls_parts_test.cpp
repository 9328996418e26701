// SPDX-License-Identifier: Apache-2.0
// TLS as a snapshot asks for it, on both sides, through real sockets on both rings.
#include "userspace/proxy/tls_parts.hpp"

#include "userspace/proxy/test_tls.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

struct Authority {
    tls::testing::Pair ca = tls::testing::issue({.name = "ca", .ca = true});
    tls::testing::Pair shop = tls::testing::issue({.name = "shop", .names = "DNS:shop.example,URI:spiffe://x/shop", .issuer = &ca});
    tls::testing::Pair other_ca = tls::testing::issue({.name = "other", .ca = true});
};

const Authority& authority() {
    static const Authority all;
    return all;
}

// An edge that stands for a backend which speaks TLS.
Snapshot secure_backend(const Endpoint& behind) {
    Snapshot snapshot;
    snapshot.backends("web", {behind});
    snapshot.host("all", {RuleSpec{}});
    snapshot.keys["key"] = authority().shop.key;
    snapshot.part(fb::PartKind::Certificates, "certs", certificate_set("key", authority().shop.chain, "shop.example"));
    const auto listener = snapshot.listener(fb::ListenerMode::Https, "", {{"", "all"}}, "certs");
    snapshot.root.listeners[listener]->alpn = {"h2", "http/1.1"};
    snapshot.port(fb::PortMode::Tls, {listener}, "edge", 443);
    return snapshot;
}

fb::TrustBundleT bundle(const std::string& pem) {
    fb::TrustBundleT trust;
    trust.pem = pem;
    return trust;
}

Snapshot to_secure(const Endpoint& at, const std::string& name, const std::string& ca, const std::vector<std::pair<fb::SanKind, std::string>>& sans = {},
                   fb::BackendProtocol protocol = fb::BackendProtocol::Http1) {
    Snapshot snapshot = http_snapshot({});
    fb::BackendSetT set;
    set.object = object("Service", "web");
    set.protocol = protocol;
    auto endpoint = std::make_unique<fb::BackendEndpointT>();
    endpoint->address = address(at.address);
    endpoint->port = at.port;
    set.endpoints.push_back(std::move(endpoint));
    set.tls = std::make_unique<fb::BackendTlsT>();
    set.tls->server_name = name;
    set.tls->trust = "ca";
    for (const auto& [kind, value] : sans) {
        auto san = std::make_unique<fb::SanT>();
        san->kind = kind;
        san->value = value;
        set.tls->sans.push_back(std::move(san));
    }
    snapshot.part(fb::PartKind::Backends, "web", set);
    if (!ca.empty()) {
        snapshot.part(fb::PartKind::Trust, "ca", bundle(ca));
    }
    return snapshot;
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("tls_parts: a backend is spoken to over TLS, verified, and never in the clear") {
    Backend web(echo);
    const ring::Kind kind = ring_kind();
    Edge inner(kind, secure_backend(web.at()));
    struct Case {
        const char* name;
        std::string ca;
        std::vector<std::pair<fb::SanKind, std::string>> sans;
        int status;
    };
    const Case cases[] = {
        {"shop.example", authority().ca.chain, {}, 200},
        {"else.example", authority().ca.chain, {}, 502},
        {"shop.example", authority().other_ca.chain, {}, 502},
        {"else.example", authority().ca.chain, {{fb::SanKind::Uri, "spiffe://x/shop"}}, 200},
        {"else.example", authority().ca.chain, {{fb::SanKind::Dns, "no.example"}, {fb::SanKind::Dns, "shop.example"}}, 200},
        {"shop.example", authority().ca.chain, {{fb::SanKind::Uri, "spiffe://x/else"}}, 502},
        {"shop.example", "", {}, 500},           // no bundle: the reference does not resolve
        {"shop.example", "no certificate", {}, 500},
    };
    for (const Case& one : cases) {
        INFO(one.name << " " << one.status);
        Edge edge(kind, to_secure(inner.at(), one.name, one.ca, one.sans));
        Peer client = edge.client();
        const Message answer = client.ask(kGet);
        CHECK(answer.status() == one.status);
        if (one.status == 200) {
            CHECK(client.ask(kGet).body.find("X-Forwarded-Proto: http") != std::string::npos);
            CHECK(edge.stats().backend_reused_total == 1);
        } else if (one.status == 502) {
            CHECK(answer.field("X-Penstock-Reason") == "backend_tls");
        }
    }
    CHECK(inner.stats().tls_handshakes_total >= 3);
}

TEST_CASE("tls_parts: a terminated TLS stream goes on over TLS, by the policy's name, and the backend may speak first") {
    std::mutex mutex;
    std::string name;
    const auto set = tls::testing::set_of({{authority().shop, {}}}, {});
    Backend backend([&](Peer& peer) {
        TlsServer server(peer, *set);
        {
            const std::lock_guard lock(mutex);
            const char* seen = SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name);
            name = seen != nullptr ? seen : "";
        }
        SSL_write(server.ssl(), "hello\n", 6);
        server.echo();
    });
    Snapshot snapshot = tls_snapshot(fb::ListenerMode::TlsTerminate);
    const Snapshot policy = to_secure(backend.at(), "shop.example", authority().ca.chain);
    for (const auto& ref : policy.refs) {
        if (ref.kind != fb::PartKind::Host) {
            snapshot.bytes_part(ref.kind, ref.key, ref.bytes);
        }
    }
    Edge edge(ring_kind(), snapshot);
    TlsClient client(edge.at(), "a.example");
    CHECK(client.take_until("\n") == "hello\n");
    client.send("one\n");
    CHECK(client.take_until("\n") == "one\n");
    const std::lock_guard lock(mutex);
    CHECK(name == "shop.example");
}

TEST_CASE("tls_parts: an answer that only its connection's end bounds is whole if TLS says that it ends, else cut short") {
    const ring::Kind kind = ring_kind();
    const auto set = tls::testing::set_of({{authority().shop, {}}}, {});
    struct Row {
        const char *why, *head;
        bool says, whole;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"the end is said", "Connection: close\r\n", true, true},
             {"the end is not said", "Connection: close\r\n", false, false},
             {"the length is said, the end is not", "Content-Length: 5\r\n", false, true},
         }) {
        INFO(row.why);
        Backend backend([&](Peer& peer) {
            TlsServer server(peer, *set);
            char request[4096];
            SSL_read(server.ssl(), request, sizeof request);
            const std::string answer = "HTTP/1.1 200 OK\r\n" + std::string(row.head) + "\r\nhello";
            SSL_write(server.ssl(), answer.data(), static_cast<int>(answer.size()));
            if (row.says) {
                SSL_shutdown(server.ssl());
            }
        });
        Edge edge(kind, to_secure(backend.at(), "shop.example", authority().ca.chain));
        Peer client = edge.client();
        const Message answer = client.ask(kGet);
        CHECK(answer.status() == 200);
        CHECK(answer.body == "hello");
        CHECK(answer.whole == row.whole);
        CHECK(client.ask(kGet).status() == (row.whole ? 200 : 0));
        edge.stop();
        CHECK(edge.reasons(Reason::backend_closed) == (row.whole ? 0 : 1));
    }
}

TEST_CASE("tls_parts: HTTP/2 to a backend over TLS follows from its protocol") {
    Backend web(echo);
    const ring::Kind kind = ring_kind();
    Edge inner(kind, secure_backend(web.at()));
    Edge edge(kind, to_secure(inner.at(), "shop.example", authority().ca.chain, {}, fb::BackendProtocol::Http2));
    Peer client = edge.client();
    for (int i = 0; i < 3; ++i) {
        CHECK(client.ask(kGet).status() == 200);
    }
    CHECK(inner.stats().connections_total == 1);
    // One that does not speak it is refused.
    Snapshot plain = secure_backend(web.at());
    plain.root.listeners[0]->alpn = {"http/1.1"};
    Edge old(kind, plain);
    Edge strict(kind, to_secure(old.at(), "shop.example", authority().ca.chain, {}, fb::BackendProtocol::Http2));
    CHECK(strict.client().ask(kGet).status() == 502);
}

TEST_CASE("tls_parts: a change of the trust bundle changes who is believed, at once") {
    Backend web(echo);
    const ring::Kind kind = ring_kind();
    Edge inner(kind, secure_backend(web.at()));
    Edge edge(kind, to_secure(inner.at(), "shop.example", authority().ca.chain));
    CHECK(edge.client().ask(kGet).status() == 200);
    edge.serve(to_secure(inner.at(), "shop.example", authority().other_ca.chain));
    CHECK(edge.client().ask(kGet).status() == 502);
    edge.serve(to_secure(inner.at(), "shop.example", authority().ca.chain));
    CHECK(edge.client().ask(kGet).status() == 200);
}

TEST_CASE("tls_parts: a listener's options hold, and a change of them alone is taken") {
    const ring::Kind kind = ring_kind();
    Snapshot snapshot = tls_snapshot(fb::ListenerMode::Https);
    const auto options = [&snapshot](auto change) {
        for (auto& listener : snapshot.root.listeners) {
            listener->tls = std::make_unique<fb::TlsOptionsT>();
            change(*listener->tls);
        }
    };
    Edge edge(kind, snapshot);
    CHECK(TlsClient(edge.at(), "a.example", TLS1_2_VERSION).connected);
    options([](auto& tls) { tls.version_min = 0x0304; });
    edge.serve(snapshot);
    CHECK_FALSE(TlsClient(edge.at(), "a.example", TLS1_2_VERSION).connected);
    CHECK(TlsClient(edge.at(), "a.example", TLS1_3_VERSION).connected);
    options([](auto& tls) { tls.client_certificates = fb::ClientCertificates::AllowValidOnly; tls.client_trust = "clients"; });
    snapshot.part(fb::PartKind::Trust, "clients", bundle(authority().ca.chain));
    edge.serve(snapshot);
    TlsClient stranger(edge.at(), "a.example", TLS1_2_VERSION);
    CHECK_FALSE(stranger.connected);
    options([](auto& tls) { tls.client_certificates = fb::ClientCertificates::InsecureFallback; tls.client_trust = "clients"; });
    edge.serve(snapshot);
    CHECK(TlsClient(edge.at(), "a.example").connected);
}
