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

#include "userspace/tls/certificates.hpp"
#include "userspace/tls/session.hpp"

namespace penstock::tls::testing {

struct Pair {
    std::string chain, key;
};

inline std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

inline X509* certificate_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
}

inline EVP_PKEY* key_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return key;
}

struct CertificateSpec {
    std::string name;                   // common name
    std::string names = {};             // subjectAltName as OpenSSL writes it: "DNS:a.example,URI:spiffe://a/b"
    const char* kind = "P-256";         // or "RSA", "ED25519"
    const Pair* issuer = nullptr;       // none: signed by itself
    bool ca = false;
    long valid_seconds = 86400;         // from now; negative: over already
};

inline void add_extension(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

inline Pair issue(const CertificateSpec& spec) {
    const std::string kind = spec.kind;
    EVP_PKEY* key = kind == "RSA" ? EVP_RSA_gen(2048) : kind == "ED25519" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519") : EVP_EC_gen(spec.kind);
    X509* issuer = spec.issuer != nullptr ? certificate_of(spec.issuer->chain) : nullptr;
    EVP_PKEY* issuer_key = spec.issuer != nullptr ? key_of(spec.issuer->key) : nullptr;
    X509* cert = X509_new();
    static long serial = 0;
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), std::min(-3600L, spec.valid_seconds - 3600));
    X509_gmtime_adj(X509_getm_notAfter(cert), spec.valid_seconds);
    X509_set_pubkey(cert, key);
    X509_NAME* subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
    if (spec.ca) {
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (!spec.names.empty()) {
        add_extension(cert, NID_subject_alt_name, spec.names);
    }
    EVP_PKEY* signer = issuer_key != nullptr ? issuer_key : key;
    X509_sign(cert, signer, EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256());
    BIO* chain = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(chain, cert);
    BIO* pem = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(pem, key, nullptr, nullptr, 0, nullptr, nullptr);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return {text_of(chain), text_of(pem)};
}

inline Pair make_certificate(const std::string& name, bool ecdsa = true) { return issue({.name = name, .kind = ecdsa ? "P-256" : "RSA"}); }

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
    void write(std::string_view text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
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

// Passes bytes both ways, `cut` at a time, until nobody has any. True: both sides are through.
inline bool run_handshake(OpenSslEnd& end, Session& session, std::size_t cut = 100'000) {
    std::vector<std::uint8_t> plain;
    bool done = false;
    for (int round = 0; round < 10; ++round) {
        done = end.handshake();
        const auto bytes = end.sent();
        session.feed({}, plain);
        for (std::size_t at = 0; at < bytes.size(); at += cut) {
            session.feed(std::span(bytes).subspan(at, std::min(cut, bytes.size() - at)), plain);
        }
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
    const std::uint8_t byte = 'x';
    server.write({&byte, 1});
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

}  // namespace penstock::tls::testing
