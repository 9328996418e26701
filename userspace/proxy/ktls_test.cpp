// SPDX-License-Identifier: Apache-2.0
// TLS with kTLS allowed, through real sockets on both rings. Where this kernel has none the same traffic goes over the lower rungs, and the
// counters must say so; hwtests/test_ktls.py runs these tests on a kernel that has it.
#include <sys/utsname.h>

#include <cstdio>

#include "userspace/proxy/test_tls.hpp"
#include "userspace/tls/kernel_keys.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

bool has_ktls() {
    static const bool has = [] {
        const Fd listener = listening();
        const Peer peer = Peer::connect(local_of(listener.get()));
        return tls::attach_kernel(peer.fd()) == 0;
    }();
    if (const char* wish = std::getenv("PST_TEST_KTLS")) {
        REQUIRE((has || std::string_view(wish) != "must"));
    }
    return has;
}

// Kernels change the keys of a socket from 6.14 on.
bool changes_keys() {
    utsname names = {};
    unsigned major = 0;
    unsigned minor = 0;
    ::uname(&names);
    return std::sscanf(names.release, "%u.%u", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 14));
}

struct KtlsEdge {
    explicit KtlsEdge(Snapshot snapshot) : edge(ring_kind(), snapshot) {
        edge.on_thread([](Context& context) { context.ladder.kernel = true; });
    }
    // So many of our own connections, all of them on the kernel's rungs where there are such.
    void check(std::uint64_t connections) {
        const std::uint64_t by_kernel = has_ktls() ? connections : 0;
        CHECK(Edge::eventually([&] { return edge.stats().tls_own_total == connections; }));
        CHECK(Edge::eventually([&] { return edge.stats().ktls_write_total == by_kernel; }));
        CHECK(Edge::eventually([&] { return edge.stats().ktls_read_total == by_kernel; }));
        edge.on_thread([](Context& context) { CHECK(context.ladder.kernel == has_ktls()); });
    }
    Edge edge;
};

const auto& cipher_rows() { return tls::testing::kRows; }

const char* openssl_name(const tls::testing::Row& row) {
    const std::string_view name = row.cipher;
    return name.find("AES_128_GCM") != name.npos ? "ECDHE-ECDSA-AES128-GCM-SHA256" : name.find("AES_256") != name.npos ? "ECDHE-ECDSA-AES256-GCM-SHA384"
           : name.find("CHACHA20") != name.npos ? "ECDHE-ECDSA-CHACHA20-POLY1305" : "ECDHE-ECDSA-AES128-SHA256";
}

std::function<void(SSL*)> only(const tls::testing::Row& row) {
    return [&row](SSL* ssl) {
        if (row.version == tls::kTls13) {
            SSL_set_ciphersuites(ssl, row.cipher);
        } else {
            SSL_set_cipher_list(ssl, openssl_name(row));
        }
    };
}

std::string put(const std::string& body) {
    return "PUT / HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Snapshot snapshot_for(const Endpoint& backend) {
    Snapshot snapshot = tls_snapshot(fb::ListenerMode::Https, {backend});
    for (auto& listener : snapshot.root.listeners) {
        listener->tls = std::make_unique<fb::TlsOptionsT>();
        listener->tls->ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256";
        listener->tls->ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA256";
    }
    return snapshot;
}

// Sends the body back.
void give_back(Peer& peer) {
    for (Message request = peer.message(); request.whole; request = peer.message()) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body);
    }
}

}  // namespace

TEST_CASE("ktls: bodies of every size both ways, every cipher, to the end that is said") {
    Backend backend(give_back);
    KtlsEdge inner(snapshot_for(backend.at()));
    std::uint64_t own = 0;
    std::uint64_t others = 0;
    for (const auto& row : cipher_rows()) {
        INFO(row.cipher);
        TlsClient client(inner.edge.at(), "a.example", row.version, only(row));
        REQUIRE(client.connected);
        for (const std::size_t size : {0UL, 1UL, 4056UL, 4057UL, 16'384UL, 16'385UL, 300'000UL, 5UL}) {
            const std::string body = pattern(size);
            const Message answer = client.ask(put(body));
            REQUIRE(answer.status() == 200);
            REQUIRE((answer.body == body));
        }
        client.send("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
        CHECK(client.ask("").status() == 200);
        CHECK(client.ended());
        (row.ours ? own : others) += 1;
    }
    inner.check(own);
    CHECK(inner.edge.stats().tls_openssl_total == others);
}

TEST_CASE("ktls: what comes with the last message of the handshake is read once, wherever the bytes are cut") {
    Backend backend(give_back);
    KtlsEdge inner(snapshot_for(backend.at()));
    std::uint64_t connections = 0;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (std::size_t cut = 1; cut < 600; cut += 37) {
            INFO("cut at " << cut);
            Peer peer = inner.edge.client();
            tls::testing::Client client("a.example", version);
            const auto send = [&](std::size_t from, std::size_t to, const std::vector<std::uint8_t>& bytes) {
                const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                peer.send(all.substr(from, to - from));
            };
            const auto hear = [&] {
                std::array<std::uint8_t, 16384> bytes;
                const ssize_t got = ::recv(peer.fd(), bytes.data(), bytes.size(), 0);
                client.receive(std::span(bytes).first(static_cast<std::size_t>(std::max<ssize_t>(got, 0))));
                return got > 0 || (got < 0 && errno == EINTR);
            };
            while (!client.handshake()) {
                const auto bytes = client.sent();
                send(0, bytes.size(), bytes);
                REQUIRE(hear());
            }
            for (int i = 0; i < 3; ++i) {
                client.write(put("request " + std::to_string(i)));
            }
            const auto bytes = client.sent();  // in TLS 1.3 with the Finished
            const std::size_t at = std::min(cut, bytes.size());
            send(0, at, bytes);
            send(at, bytes.size(), bytes);
            std::string answers;
            while (answers.find("request 2") == std::string::npos && hear()) {
                answers += tls::testing::drain(client);
            }
            CHECK(answers.find("request 0") < answers.find("request 1"));
            CHECK(answers.find("request 1") < answers.find("request 2"));
            ++connections;
        }
    }
    inner.check(connections);
}

TEST_CASE("ktls: a KeyUpdate is followed, or ends the connection where the kernel cannot") {
    Backend backend(give_back);
    KtlsEdge inner(snapshot_for(backend.at()));
    for (const int kind : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
        TlsClient client(inner.edge.at(), "a.example", TLS1_3_VERSION);
        REQUIRE(client.ask(put("before")).body == "before");
        inner.check(kind == SSL_KEY_UPDATE_NOT_REQUESTED ? 1 : 2);
        REQUIRE(SSL_key_update(client.ssl(), kind) == 1);
        const Message answer = client.ask(put("after"));
        if (!has_ktls() || changes_keys()) {
            CHECK(answer.body == "after");
            CHECK(client.ask(put("again")).body == "again");
        } else {
            // Unless the next record comes before the alert has left: the kernel takes that for a forged one, and is silent.
            const int why = ERR_GET_REASON(ERR_peek_last_error());
            CHECK(answer.head.empty());
            CHECK((why == SSL_AD_REASON_OFFSET + SSL_AD_INTERNAL_ERROR || why == SSL_R_UNEXPECTED_EOF_WHILE_READING));
            ERR_clear_error();
        }
    }
}

TEST_CASE("ktls: a forged record ends the connection, and the peer hears of it") {
    Backend backend(give_back);
    KtlsEdge inner(snapshot_for(backend.at()));
    std::uint64_t connections = 0;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        TlsClient client(inner.edge.at(), "a.example", version);
        REQUIRE(client.ask(put("before")).body == "before");
        inner.check(++connections);
        client.peer().send(std::string("\x17\x03\x03\x00\x40", 5) + std::string(64, 'x'));
        CHECK(client.take(1).empty());
        CHECK(ERR_GET_REASON(ERR_peek_last_error()) == SSL_AD_REASON_OFFSET + SSL_AD_BAD_RECORD_MAC);
        ERR_clear_error();
    }
}

TEST_CASE("ktls: a client's close_notify ends a tunnel's one direction, the other goes on") {
    Backend backend([](Peer& peer) {
        const std::string all = peer.rest();
        peer.send(all);
    });
    KtlsEdge inner(tls_snapshot(fb::ListenerMode::TlsTerminate, {backend.at()}));
    const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    TlsClient client(inner.edge.at(), "a.example", version);
    REQUIRE(client.connected);
    const std::string text = pattern(200'000);
    client.send(text);
    client.end();
    CHECK((client.take(text.size()) == text));
    CHECK(client.ended());
    inner.check(1);
}
