// SPDX-License-Identifier: Apache-2.0
// For tests only: certificates made at run time, and OpenSSL's own client with memory on both sides.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/test/certificate.hpp"
#include "userspace/tls/certificates.hpp"
#include "userspace/tls/session.hpp"

namespace penstock::tls::testing {

using test::certificate_of;
using test::CertificateSpec;
using test::issue;
using test::key_of;
using test::make_certificate;
using test::Pair;
using test::text_of;

// One end of a connection that is OpenSSL's alone, with memory on both sides.
class OpenSslEnd {
public:
    explicit OpenSslEnd(SSL_CTX* context) : context_(context), ssl_(SSL_new(context)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
        BIO_set_mem_eof_return(in_, -1);
        SSL_set_bio(ssl_, in_, out_);
    }
    OpenSslEnd(const OpenSslEnd&) = delete;
    ~OpenSslEnd() {
        SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else its session would count as broken
        SSL_free(ssl_);
        SSL_CTX_free(context_);
    }
    bool handshake() { return SSL_do_handshake(ssl_) == 1; }
    std::vector<std::uint8_t> sent() {
        std::vector<std::uint8_t> bytes(BIO_ctrl_pending(out_));
        if (!bytes.empty()) {
            BIO_read(out_, bytes.data(), static_cast<int>(bytes.size()));
        }
        return bytes;
    }
    void receive(std::span<const std::uint8_t> bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
    void write(std::string_view text) {
        for (int count = 1; count > 0 && !text.empty(); text.remove_prefix(static_cast<std::size_t>(std::max(count, 0)))) {
            count = SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
        }
    }
    std::string read() {
        std::string text(100'000, '\0');
        const int count = SSL_read(ssl_, text.data(), static_cast<int>(text.size()));
        text.resize(static_cast<std::size_t>(std::max(count, 0)));
        return text;
    }
    SSL* ssl() { return ssl_; }

private:
    SSL_CTX* context_;
    SSL* ssl_;
    BIO* in_;
    BIO* out_;
};

class Client : public OpenSslEnd {
public:
    // `version` 0: the best that both have. `configure` may change the context first.
    explicit Client(const char* name = nullptr, int version = 0, const std::function<void(SSL_CTX*)>& configure = {}, SSL_SESSION* session = nullptr)
        : OpenSslEnd(context_of(version, configure)) {
        SSL_set_connect_state(ssl());
        if (name != nullptr) {
            SSL_set_tlsext_host_name(ssl(), name);
        }
        if (session != nullptr) {
            SSL_set_session(ssl(), session);
        }
    }

private:
    static SSL_CTX* context_of(int version, const std::function<void(SSL_CTX*)>& configure) {
        SSL_CTX* context = SSL_CTX_new(TLS_client_method());
        if (version != 0) {
            SSL_CTX_set_min_proto_version(context, version);
            SSL_CTX_set_max_proto_version(context, version);
        }
        const unsigned char alpn[] = "\x02h2\x08http/1.1";
        SSL_CTX_set_alpn_protos(context, alpn, sizeof alpn - 1);
        if (configure) {
            configure(context);
        }
        return context;
    }
};

// A server with the settings of a set.
class Server : public OpenSslEnd {
public:
    explicit Server(const CertificateSet& set, const ClientHello& hello = {}) : OpenSslEnd(referenced(set.choose(hello))) { SSL_set_accept_state(ssl()); }

private:
    static SSL_CTX* referenced(SSL_CTX* context) {
        SSL_CTX_up_ref(context);
        return context;
    }
};

// What a client sends first.
inline std::string first_hello(const char* name) {
    Client client(name);
    client.handshake();
    const auto bytes = client.sent();
    return {bytes.begin(), bytes.end()};
}

// Gives these bytes to the session, `cut` at a time, and takes its plaintext.
inline std::string pass(Session& session, std::vector<std::uint8_t> bytes, std::size_t cut = 100'000) {
    std::string plaintext;
    const auto take = [&](std::span<std::uint8_t> part) {
        session.feed(part);
        for (auto piece = session.next(); !piece.empty(); piece = session.next()) {
            plaintext.append(piece.begin(), piece.end());
        }
        session.release();
    };
    take({});
    for (std::size_t at = 0; at < bytes.size(); at += cut) {
        take(std::span(bytes).subspan(at, std::min(cut, bytes.size() - at)));
    }
    return plaintext;
}

inline bool say(Session& session, std::string_view text) { return session.write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); }

// Passes bytes both ways, `cut` at a time, until nobody has any. True: both sides are through.
inline bool run_handshake(OpenSslEnd& end, Session& session, std::size_t cut = 100'000) {
    bool done = false;
    for (int round = 0; round < 10; ++round) {
        done = end.handshake();
        pass(session, end.sent(), cut);
        end.receive(session.output());
        session.output().clear();
    }
    return done && session.state() == SessionState::established;
}

// A handshake of this client alone, and then one byte from the server, so that the client has its ticket. Null: it failed.
inline SSL_SESSION* session_of(Client& client, Session& server) {
    if (!run_handshake(client, server)) {
        return nullptr;
    }
    say(server, "x");
    client.receive(server.output());
    server.output().clear();
    return client.read() == "x" ? SSL_get1_session(client.ssl()) : nullptr;
}

inline std::string common_name(SSL* ssl) {
    char text[100] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(SSL_get0_peer_certificate(ssl)), NID_commonName, text, sizeof text);
    return text;
}

inline std::shared_ptr<const CertificateSet> set_of(const std::vector<std::pair<Pair, std::vector<std::string>>>& pairs, const CertificateOptions& options = {.alpn = {"http/1.1"}}) {
    std::vector<CertificateInput> inputs;
    for (const auto& [pair, names] : pairs) {
        inputs.push_back({pair.chain, pair.key, names, "Secret default/test"});
    }
    auto set = CertificateSet::build(inputs, options);
    return set.ok() ? *set : nullptr;
}

// ---- every cipher ---------------------------------------------------------------------------------------------------------------
struct Row {
    std::uint16_t version;
    const char* cipher;
    bool ours;  // we have a record layer for it
};
inline constexpr Row kRows[] = {{kTls13, "TLS_AES_128_GCM_SHA256", true},
                                {kTls13, "TLS_AES_256_GCM_SHA384", true},
                                {kTls13, "TLS_CHACHA20_POLY1305_SHA256", true},
                                {kTls13, "TLS_AES_128_CCM_SHA256", false},
                                {kTls12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", true},
                                {kTls12, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", true},
                                {kTls12, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", true},
                                {kTls12, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", false}};

// A session of ours and OpenSSL at the other end.
struct Talk {
    std::shared_ptr<const CertificateSet> set;
    std::unique_ptr<Session> session;
    std::unique_ptr<OpenSslEnd> peer;
};

inline const Pair& test_ca() {
    static const Pair ca = issue({.name = "ca", .ca = true});
    return ca;
}

// After the handshake. `server`: we are the server, else OpenSSL is. No session: the handshake failed.
inline Talk begin(const Row& row, bool server, std::size_t cut = 100'000) {
    static const Pair leaf = issue({.name = "one", .names = "DNS:one", .issuer = &test_ca()});
    Talk talk;
    talk.set = set_of({{leaf, {"one"}}}, {.alpn = {"http/1.1"}, .suites = {.ciphers = {row.cipher}}});
    if (server) {
        talk.session = std::make_unique<Session>(talk.set->choose({}));
        talk.peer = std::make_unique<Client>("one", row.version, [&](SSL_CTX* context) {
            SSL_CTX_set_ciphersuites(context, row.version == kTls13 ? row.cipher : "TLS_AES_128_GCM_SHA256");
        });
    } else {
        const SuiteOptions suites{.version_min = row.version, .version_max = row.version, .ciphers = {row.cipher}};
        const auto context = BackendContext::build({.server_name = "one", .dns_names = {"one"}, .ca_pem = test_ca().chain, .alpn = {"http/1.1"}, .suites = suites});
        talk.session = std::make_unique<Session>(*context, *Endpoint::parse("10.0.0.1:443"));
        talk.peer = std::make_unique<Server>(*talk.set);
    }
    if (!run_handshake(*talk.peer, *talk.session, cut)) {
        talk.session.reset();
    }
    return talk;
}

// All that the end has to read.
inline std::string drain(OpenSslEnd& end) {
    std::string all;
    for (std::string part = end.read(); !part.empty(); part = end.read()) {
        all += part;
    }
    return all;
}

inline std::string pattern(std::size_t size) {
    std::string text(size, 0);
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return text;
}

}  // namespace penstock::tls::testing
