// SPDX-License-Identifier: Apache-2.0
// For tests only: a TLS port, and OpenSSL's client on a blocking socket.
#pragma once

#include <openssl/ssl.h>

#include "userspace/proxy/testing.hpp"
#include "userspace/tls/testing.hpp"

namespace penstock::proxy::testing {

// A port with two listeners of that mode, for a.example and b.example, and one certificate for both.
inline Snapshot tls_snapshot(fb::ListenerMode mode, const std::vector<Endpoint>& ready = {}, bool with_certificate = true) {
    Snapshot snapshot;
    snapshot.backends("web", ready);
    snapshot.host("all", {RuleSpec{}});
    if (with_certificate) {
        const auto pair = tls::testing::make_certificate("a.example");
        snapshot.keys["key"] = pair.key;
        snapshot.part(fb::PartKind::Certificates, "certs", certificate_set("key", pair.chain, "a.example"));
    }
    const auto a = snapshot.listener(mode, "a.example", {{"a.example", "all"}}, "certs");
    const auto b = snapshot.listener(mode, "b.example", {{"b.example", "all"}}, "certs");
    snapshot.port(fb::PortMode::Tls, {a, b}, "edge", 443);
    return snapshot;
}

// One task at a time may use it. `version` 0: the best that both have.
class TlsClient {
public:
    TlsClient(const Endpoint& to, const char* name, int version = 0, const std::function<void(SSL*)>& change = {}) : peer_(Peer::connect(to)), context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
        if (version != 0) {
            SSL_set_min_proto_version(ssl_, version);
            SSL_set_max_proto_version(ssl_, version);
        }
        if (change) {
            change(ssl_);
        }
        SSL_set_fd(ssl_, peer_.fd());
        SSL_set_tlsext_host_name(ssl_, name);
        connected = whole([this] { return SSL_connect(ssl_); }) == 1;
    }
    TlsClient(const TlsClient&) = delete;
    ~TlsClient() {
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }

    void send(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
    // `count` bytes, or fewer at the end.
    std::string take(std::size_t count) {
        std::string all(count, 0);
        std::size_t have = 0;
        while (have < count) {
            const int got = read(all.data() + have, count - have);
            if (got <= 0) {
                break;
            }
            have += static_cast<std::size_t>(got);
        }
        all.resize(have);
        return all;
    }
    std::string take_until(std::string_view mark) {
        std::string all;
        while (!all.ends_with(mark)) {
            const std::string byte = take(1);
            if (byte.empty()) {
                break;
            }
            all += byte;
        }
        return all;
    }
    Message ask(std::string_view text) {
        send(text);
        Message message;
        message.head = take_until("\r\n\r\n");
        if (message.field("Content-Length") != "-") {
            message.body = take(std::stoul(message.field("Content-Length")));
        }
        return message;
    }
    // The peer said close_notify.
    bool ended() {
        char byte = 0;
        return read(&byte, 1) == 0 && SSL_get_error(ssl_, 0) == SSL_ERROR_ZERO_RETURN;
    }
    void end() { SSL_shutdown(ssl_); }
    [[nodiscard]] const char* version() const { return SSL_get_version(ssl_); }
    [[nodiscard]] Peer& peer() { return peer_; }
    [[nodiscard]] SSL* ssl() { return ssl_; }
    bool connected = false;

private:
    // A ring that dies on this thread interrupts the system call below: again, then.
    template <class Call>
    int whole(Call call) {
        for (;;) {
            errno = 0;
            const int result = call();
            if (result > 0 || errno != EINTR) {
                return result;
            }
        }
    }
    int read(char* to, std::size_t count) {
        return whole([&] { return SSL_read(ssl_, to, static_cast<int>(count)); });
    }

    Peer peer_;
    SSL_CTX* context_;
    SSL* ssl_;
};

// A backend's script that speaks TLS: OpenSSL's server on the peer's socket. Says what came of the handshake.
class TlsServer {
public:
    TlsServer(Peer& peer, const tls::CertificateSet& set) : ssl_(SSL_new(set.choose({}))) {
        SSL_set_fd(ssl_, peer.fd());
        accepted = SSL_accept(ssl_) == 1;
    }
    TlsServer(const TlsServer&) = delete;
    ~TlsServer() { SSL_free(ssl_); }

    // Sends back all that comes, until the end.
    void echo() {
        std::vector<char> bytes(20'000);
        for (int got = 0; (got = SSL_read(ssl_, bytes.data(), static_cast<int>(bytes.size()))) > 0;) {
            SSL_write(ssl_, bytes.data(), got);
        }
        SSL_shutdown(ssl_);
    }
    SSL* ssl() { return ssl_; }
    bool accepted = false;

private:
    SSL* ssl_;
};

}  // namespace penstock::proxy::testing
