// SPDX-License-Identifier: Apache-2.0
// Which certificate a hello gets, and what a listener's options make of a handshake, with OpenSSL's client.
#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

// A whole connection: the hello is read, a certificate chosen, the handshake made. Which fault it had.
Fault serve(Client& client, const CertificateSet& set) {
    client.handshake();
    const auto bytes = client.sent();
    ClientHello hello;
    std::string why;
    REQUIRE(parse_client_hello(bytes, hello, why) == HelloResult::done);
    if (const Fault refused = set.refusal(hello); refused != Fault::none) {
        return refused;
    }
    Session session(set.choose(hello));
    pass(session, bytes);
    client.receive(session.output());
    session.output().clear();
    run_handshake(client, session);
    return session.state() == SessionState::established ? Fault::none : session.fault() == Fault::none ? Fault::other : session.fault();
}

std::shared_ptr<const CertificateSet> one(const CertificateOptions& options, const char* kind = "P-256") {
    return set_of({{issue({.name = "one", .kind = kind}), {"one"}}}, options);
}

std::string error_of(const SuiteOptions& suites) {
    const Pair pair = make_certificate("one");
    const auto set = CertificateSet::build({{pair.chain, pair.key, {"one"}, "Secret default/one"}}, {.suites = suites, .object = "Gateway/default/edge/https"});
    return set.ok() ? "" : set.error().message();
}

}  // namespace

TEST_CASE("certificates: exact name, longest wildcard of one label, default, and ECDSA where the client can") {
    const auto set = set_of({{make_certificate("default"), {"default.example.com"}},
                             {make_certificate("wild"), {"*.example.com"}},
                             {make_certificate("longer"), {"*.a.example.com"}},
                             {make_certificate("exact-rsa", false), {"b.example.com"}},
                             {issue({.name = "exact-ed25519", .kind = "ED25519"}), {"b.example.com"}},
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
                                                     {"b.example.com", "rsa_pss_rsae_sha256", "exact-rsa"},
                                                     {"b.example.com", "ed25519:rsa_pss_rsae_sha256", "exact-ed25519"}}) {
        Client client(row.name, TLS1_3_VERSION, [&](SSL_CTX* context) {
            if (row.signatures != nullptr) {
                SSL_CTX_set1_sigalgs_list(context, row.signatures);
            }
        });
        INFO((row.name != nullptr ? row.name : "-"));
        CHECK(serve(client, *set) == Fault::none);
        CHECK(common_name(client.ssl()) == row.wanted);
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

TEST_CASE("options: versions from min to max, and no others") {
    struct Row {
        std::uint16_t min, max;
        bool tls12, tls13;
    };
    for (const Row& row : std::initializer_list<Row>{{kTls12, kTls13, true, true}, {kTls12, kTls12, true, false}, {kTls13, kTls13, false, true}}) {
        const auto set = one({.suites = {.version_min = row.min, .version_max = row.max}});
        Client old("one", TLS1_2_VERSION);
        CHECK(serve(old, *set) == (row.tls12 ? Fault::none : Fault::version));
        Client fresh("one", TLS1_3_VERSION);
        CHECK(serve(fresh, *set) == (row.tls13 ? Fault::none : Fault::version));
    }
    Client ancient("one", 0, [](SSL_CTX* context) {
        SSL_CTX_set_security_level(context, 0);
        SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    });
    CHECK(serve(ancient, *one({})) == Fault::version);
    CHECK(error_of({.version_min = 0x0301}).find("Gateway/default/edge/https") != std::string::npos);
    CHECK_FALSE(error_of({.version_min = kTls13, .version_max = kTls12}).empty());
}

TEST_CASE("options: cipher suites by either name, in the server's order, unknown ones named") {
    const auto negotiated = [](const std::vector<std::string>& ciphers, int version, const char* client_list = nullptr) -> std::string {
        const auto set = one({.suites = {.ciphers = ciphers}});
        REQUIRE(set != nullptr);
        Client client("one", version, [&](SSL_CTX* context) {
            if (client_list != nullptr) {
                SSL_CTX_set_ciphersuites(context, client_list);
            }
        });
        return serve(client, *set) == Fault::none ? SSL_get_cipher_name(client.ssl()) : "-";
    };
    CHECK(negotiated({}, TLS1_3_VERSION) == "TLS_AES_128_GCM_SHA256");
    CHECK(negotiated({}, TLS1_2_VERSION) == "ECDHE-ECDSA-AES128-GCM-SHA256");
    CHECK(negotiated({"TLS_AES_256_GCM_SHA384"}, TLS1_3_VERSION) == "TLS_AES_256_GCM_SHA384");
    CHECK(negotiated({"TLS_AES_256_GCM_SHA384"}, TLS1_2_VERSION) == "ECDHE-ECDSA-AES128-GCM-SHA256");  // none of that version is named
    CHECK(negotiated({"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}, TLS1_2_VERSION) == "ECDHE-ECDSA-AES256-GCM-SHA384");
    CHECK(negotiated({"ECDHE-ECDSA-CHACHA20-POLY1305"}, TLS1_2_VERSION) == "ECDHE-ECDSA-CHACHA20-POLY1305");
    CHECK(negotiated({"ECDHE-ECDSA-AES128-SHA256"}, TLS1_2_VERSION) == "ECDHE-ECDSA-AES128-SHA256");
    // A client without AES in hardware puts ChaCha20 first and gets it.
    CHECK(negotiated({}, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256") == "TLS_CHACHA20_POLY1305_SHA256");

    const auto strict = one({.suites = {.ciphers = {"TLS_AES_256_GCM_SHA384"}}});
    Client lacks("one", TLS1_3_VERSION, [](SSL_CTX* context) { SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256"); });
    CHECK(serve(lacks, *strict) == Fault::suite);

    const std::string unknown = error_of({.ciphers = {"TLS_AES_128_GCM_SHA256", "TLS_MAGIC_SHA1"}});
    CHECK(unknown.find("TLS_MAGIC_SHA1") != std::string::npos);
    CHECK(unknown.find("Gateway/default/edge/https") != std::string::npos);
    for (const char* bad : {"", "ALL", "ECDHE-ECDSA-AES128-GCM-SHA256:NULL", "NULL-SHA", "AECDH-AES128-SHA"}) {
        CHECK_FALSE(error_of({.ciphers = {bad}}).empty());
    }
}

TEST_CASE("options: groups, X25519MLKEM768 where OpenSSL has it, unknown ones named") {
    const auto group_of = [](const std::vector<std::string>& groups, const char* client_list) -> std::string {
        const auto set = one({.suites = {.groups = groups}});
        REQUIRE(set != nullptr);
        Client client("one", TLS1_3_VERSION, [&](SSL_CTX* context) { SSL_CTX_set1_groups_list(context, client_list); });
        return serve(client, *set) == Fault::none ? OBJ_nid2sn(static_cast<int>(SSL_get_negotiated_group(client.ssl()))) : "-";
    };
    CHECK(group_of({}, "X25519") == "X25519");
    CHECK(group_of({"P-384"}, "X25519:P-384") == "secp384r1");  // by HelloRetryRequest
    CHECK(group_of({"secp521r1"}, "X25519:P-384") == "-");
    const bool post_quantum = error_of({.groups = {"X25519MLKEM768"}}).empty();
    CHECK(post_quantum == (OPENSSL_VERSION_NUMBER >= 0x30500000L));
    if (post_quantum) {
        CHECK(group_of({"X25519MLKEM768"}, "X25519MLKEM768:X25519") != "-");
    }
    CHECK(error_of({.groups = {"X25519", "X448MAGIC"}}).find("X448MAGIC") != std::string::npos);
    for (const char* bad : {"", "X25519:P-256", "?P-256", "*P-256", "-P-256"}) {
        CHECK_FALSE(error_of({.groups = {bad}}).empty());
    }
}

TEST_CASE("options: the server's order of protocols; HTTP/2 only over what RFC 9113 allows") {
    const auto protocol_of = [](const std::vector<std::string>& alpn, int version, const SuiteOptions& suites = {}) {
        const auto set = one({.alpn = alpn, .suites = suites});
        Client client("one", version);
        CHECK(serve(client, *set) == Fault::none);
        const unsigned char* name = nullptr;
        unsigned size = 0;
        SSL_get0_alpn_selected(client.ssl(), &name, &size);
        return std::string(reinterpret_cast<const char*>(name), size);
    };
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CHECK(protocol_of({"h2", "http/1.1"}, version) == "h2");
        CHECK(protocol_of({"http/1.1", "h2"}, version) == "http/1.1");
        CHECK(protocol_of({}, version).empty());
        Client stranger("one", version);  // RFC 7301 3.2: nothing in common ends the handshake
        CHECK(serve(stranger, *one({.alpn = {"acme"}})) == Fault::suite);
        Client silent("one", version);
        REQUIRE(SSL_set_alpn_protos(silent.ssl(), nullptr, 0) == 0);
        CHECK(serve(silent, *one({.alpn = {"acme"}})) == Fault::none);
    }
    CHECK(protocol_of({"h2", "http/1.1"}, TLS1_2_VERSION, {.ciphers = {"ECDHE-ECDSA-AES128-SHA256"}}) == "http/1.1");
    const Pair pair = make_certificate("one");
    CHECK_FALSE(CertificateSet::build({{pair.chain, pair.key, {"one"}, "Secret default/one"}}, {.alpn = {""}}).ok());
}
