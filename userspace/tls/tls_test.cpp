// SPDX-License-Identifier: Apache-2.0
// Sessions against OpenSSL's own client in memory; hellos that this client wrote, cut everywhere; certificates made at run time.
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>

#include "tools/test/catch.hpp"
#include "userspace/tls/certificates.hpp"
#include "userspace/tls/client_hello.hpp"
#include "userspace/tls/session.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

// OpenSSL's client with memory on both sides.
class Client {
public:
    explicit Client(const char* name = nullptr, int version = 0, const char* signatures = nullptr, SSL_SESSION* session = nullptr)
        : context_(SSL_CTX_new(TLS_client_method())) {
        if (version != 0) {
            SSL_CTX_set_min_proto_version(context_, version);
            SSL_CTX_set_max_proto_version(context_, version);
        }
        const unsigned char alpn[] = "\x02h2\x08http/1.1";
        SSL_CTX_set_alpn_protos(context_, alpn, sizeof alpn - 1);
        if (signatures != nullptr) {
            SSL_CTX_set1_sigalgs_list(context_, signatures);
        }
        ssl_ = SSL_new(context_);
        in_ = BIO_new(BIO_s_mem());
        out_ = BIO_new(BIO_s_mem());
        SSL_set_bio(ssl_, in_, out_);
        SSL_set_connect_state(ssl_);
        if (name != nullptr) {
            SSL_set_tlsext_host_name(ssl_, name);
        }
        if (session != nullptr) {
            SSL_set_session(ssl_, session);
        }
    }
    Client(const Client&) = delete;
    ~Client() {
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
    void receive(const std::vector<std::uint8_t>& bytes) { BIO_write(in_, bytes.data(), static_cast<int>(bytes.size())); }
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

std::vector<std::uint8_t> hello_of(const char* name, int version = 0) {
    Client client(name, version);
    client.handshake();
    return client.sent();
}

std::shared_ptr<const CertificateSet> set_of(const std::vector<std::pair<Pair, std::vector<std::string>>>& pairs, std::uint16_t version_min = 0x0303) {
    std::vector<CertificateInput> inputs;
    for (const auto& [pair, names] : pairs) {
        inputs.push_back({pair.chain, pair.key, names, "Secret default/test"});
    }
    auto set = CertificateSet::build(inputs, {{"http/1.1"}, version_min});
    REQUIRE(set.ok());
    return *set;
}

ClientHello parsed(const std::vector<std::uint8_t>& bytes) {
    ClientHello hello;
    std::string fault;
    REQUIRE(parse_client_hello(bytes, hello, fault) == HelloResult::done);
    return hello;
}

// Passes bytes both ways, `cut` at a time, until nobody has any. True: both sides are through.
bool run_handshake(Client& client, Session& session, std::size_t cut = 100'000) {
    std::vector<std::uint8_t> plain;
    bool done = false;
    for (int round = 0; round < 10; ++round) {
        done = client.handshake();
        const auto bytes = client.sent();
        for (std::size_t at = 0; at < bytes.size(); at += cut) {
            session.feed(std::span(bytes).subspan(at, std::min(cut, bytes.size() - at)), plain);
        }
        client.receive(session.output());
        session.output().clear();
    }
    return done && session.state() == SessionState::established;
}

std::string commons_name(SSL* ssl) {
    X509* cert = SSL_get1_peer_certificate(ssl);
    char text[100] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, text, sizeof text);
    X509_free(cert);
    return text;
}

// Spreads a hello's one record over records of `size` bytes.
std::vector<std::uint8_t> in_records(const std::vector<std::uint8_t>& hello, std::size_t size) {
    std::vector<std::uint8_t> result;
    for (std::size_t at = 5; at < hello.size(); at += size) {
        const std::size_t count = std::min(size, hello.size() - at);
        result.insert(result.end(), {22, 3, 1, static_cast<std::uint8_t>(count >> 8), static_cast<std::uint8_t>(count)});
        result.insert(result.end(), hello.begin() + static_cast<std::ptrdiff_t>(at), hello.begin() + static_cast<std::ptrdiff_t>(at + count));
    }
    return result;
}

}  // namespace

TEST_CASE("hello: name, protocols and signatures are read, whatever the cut") {
    const auto bytes = hello_of("Shop.Example.com");
    const ClientHello hello = parsed(bytes);
    CHECK(hello.server_name == "shop.example.com");
    CHECK(hello.alpn == std::vector<std::string>{"h2", "http/1.1"});
    CHECK(hello.version_max == 0x0304);
    CHECK((hello.ecdsa && hello.rsa));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ClientHello part;
        std::string fault;
        REQUIRE(parse_client_hello(std::span(bytes).first(size), part, fault) == HelloResult::more);
    }
    for (const std::size_t size : {9U, 64U, 200U}) {
        CHECK(parsed(in_records(bytes, size)).server_name == "shop.example.com");
    }
    CHECK(parsed(hello_of(nullptr)).server_name.empty());
    CHECK(parsed(hello_of("old.example.com", TLS1_2_VERSION)).version_max == 0x0303);
}

TEST_CASE("hello: what is not TLS and what contradicts itself is told apart") {
    ClientHello hello;
    std::string fault;
    const std::string http = "GET / HTTP/1.1\r\n";
    CHECK(parse_client_hello({reinterpret_cast<const std::uint8_t*>(http.data()), http.size()}, hello, fault) == HelloResult::not_tls);
    const std::vector<std::vector<std::uint8_t>> wrong = {
        {22, 3, 1, 0, 0},                          // empty record
        {22, 3, 1, 0x50, 0},                       // record too large
        {22, 3, 1, 0, 4, 2, 0, 0, 0},              // ServerHello
        {22, 3, 1, 0, 4, 1, 1, 0, 0},              // 64 KiB of hello
        {22, 3, 1, 0, 6, 1, 0, 0, 2, 3, 3},        // ends in the middle of its fields
        {22, 3, 1, 0, 4, 1, 0, 0, 2, 23, 3, 3},    // another record amid the hello
    };
    for (const auto& bytes : wrong) {
        CHECK(parse_client_hello(bytes, hello, fault) == HelloResult::malformed);
        CHECK_FALSE(fault.empty());
    }
    // Every single changed byte: no crash, and a result.
    const auto good = hello_of("a.example.com");
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto bad = good;
        bad[at] ^= 0xff;
        parse_client_hello(bad, hello, fault);
    }
    CHECK(parse_client_hello(in_records(good, 2), hello, fault) == HelloResult::malformed);  // too many records
    auto named = hello_of("10.example.com");
    const std::string address = "10.101.102.103";
    std::copy(address.begin(), address.end(), std::search(named.begin(), named.end(), std::begin("10.example.com"), std::end("10.example.com") - 1));
    hello = {};
    CHECK(parse_client_hello(named, hello, fault) == HelloResult::done);
    CHECK(hello.server_name.empty());  // an address is no server name
}

TEST_CASE("session: TLS 1.2 and 1.3, cut at every size, both ways, with close_notify") {
    const auto set = set_of({{make_certificate("one"), {"one"}}});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        for (const std::size_t cut : {1UL, 7UL, 100'000UL}) {
            Client client("one", version);
            Session session(set->choose({}));
            REQUIRE(run_handshake(client, session, cut));
            CHECK(session.alpn() == "http/1.1");
            client.write("hello");
            std::vector<std::uint8_t> plain;
            for (const std::uint8_t byte : client.sent()) {
                session.feed({&byte, 1}, plain);
            }
            CHECK(std::string(plain.begin(), plain.end()) == "hello");
            const std::vector<std::uint8_t> answer(50'000, 'x');
            CHECK(session.write(answer));
            session.close();
            client.receive(session.output());
            std::string got;
            for (std::string part = client.read(); !part.empty(); part = client.read()) {
                got += part;
            }
            CHECK(got.size() == answer.size());
            CHECK(SSL_get_shutdown(client.ssl()) == SSL_RECEIVED_SHUTDOWN);
            SSL_shutdown(client.ssl());
            CHECK(session.feed(client.sent(), plain) == SessionState::closed);
            CHECK_FALSE(session.write(answer));
        }
    }
}

TEST_CASE("session: a ticket resumes") {
    const auto set = set_of({{make_certificate("one"), {"one"}}});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client first("one", version);
        Session session(set->choose({}));
        REQUIRE(run_handshake(first, session));
        session.write(std::vector<std::uint8_t>{'x'});
        first.receive(session.output());
        CHECK(first.read() == "x");  // takes the ticket, too
        SSL_SESSION* kept = SSL_get1_session(first.ssl());
        Client second("one", version, nullptr, kept);
        Session again(set->choose({}));
        REQUIRE(run_handshake(second, again));
        CHECK(again.resumed());
        SSL_SESSION_free(kept);
    }
}

TEST_CASE("session: garbage and too old versions fail with a fault and an alert") {
    const auto set = set_of({{make_certificate("one"), {"one"}}}, 0x0304);
    Session session(set->choose({}));
    std::vector<std::uint8_t> plain;
    const std::string garbage = "GET / HTTP/1.1\r\n\r\n";
    CHECK(session.feed({reinterpret_cast<const std::uint8_t*>(garbage.data()), garbage.size()}, plain) == SessionState::failed);
    CHECK_FALSE(session.fault().empty());
    Session strict(set->choose({}));
    CHECK(strict.feed(hello_of("one", TLS1_2_VERSION), plain) == SessionState::failed);
    CHECK_FALSE(strict.output().empty());
}

TEST_CASE("certificates: exact name, longest wildcard of one label, default, and ECDSA where the client can") {
    const auto set = set_of({{make_certificate("default"), {"default.example.com"}},
                             {make_certificate("wild"), {"*.example.com"}},
                             {make_certificate("longer"), {"*.a.example.com"}},
                             {make_certificate("exact-rsa", false), {"b.example.com"}},
                             {make_certificate("exact-ecdsa"), {"b.example.com"}}});
    struct Row {
        const char* name;
        const char* signatures;
        const char* wanted;
    };
    for (const Row& row : std::initializer_list<Row>{{nullptr, nullptr, "default"},
                                                     {"c.example.com", nullptr, "wild"},
                                                     {"x.a.example.com", nullptr, "longer"},
                                                     {"y.x.a.example.com", nullptr, "default"},
                                                     {"b.example.com", nullptr, "exact-ecdsa"},
                                                     {"b.example.com", "rsa_pss_rsae_sha256", "exact-rsa"}}) {
        Client client(row.name, TLS1_3_VERSION, row.signatures);
        client.handshake();
        const auto hello = client.sent();
        Session session(set->choose(parsed(hello)));
        std::vector<std::uint8_t> plain;
        session.feed(hello, plain);
        client.receive(session.output());
        session.output().clear();
        INFO((row.name != nullptr ? row.name : "-"));
        CHECK(run_handshake(client, session));
        CHECK(commons_name(client.ssl()) == row.wanted);
    }
}

TEST_CASE("certificates: a key that does not fit is refused by the object's name, without a byte of it") {
    const Pair one = make_certificate("one");
    const Pair other = make_certificate("other");
    auto set = CertificateSet::build({{one.chain, other.key, {"one"}, "Secret default/mixed"}}, {});
    REQUIRE_FALSE(set.ok());
    CHECK(set.error().message().find("Secret default/mixed") != std::string::npos);
    CHECK(set.error().report().find("BEGIN") == std::string::npos);
    CHECK_FALSE(CertificateSet::build({{"nonsense", one.key, {}, "Secret default/none"}}, {}).ok());
    CHECK_FALSE(CertificateSet::build({}, {}).ok());
}
