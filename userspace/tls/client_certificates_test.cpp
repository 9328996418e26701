// SPDX-License-Identifier: Apache-2.0
// What a listener asks of clients' certificates, with OpenSSL's client, and what is remembered of them.
#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

struct Cast {
    Pair ca = issue({.name = "ca", .ca = true});
    Pair middle = issue({.name = "middle", .issuer = &ca, .ca = true});
    Pair stranger = issue({.name = "stranger", .ca = true});
    Pair server = make_certificate("one");
    Pair good = issue({.name = "alice", .names = "DNS:a.example,URI:spiffe://example/alice,IP:10.0.0.1,IP:2001:db8::1,email:a@b.example", .issuer = &ca});
    Pair of_middle = issue({.name = "bob", .issuer = &middle});
    Pair bad = issue({.name = "mallory", .issuer = &stranger});
    Pair expired = issue({.name = "late", .issuer = &ca, .valid_seconds = -60});

    std::shared_ptr<const CertificateSet> asking(ClientPolicy policy, const std::string& bundle) const {
        return set_of({{server, {"one"}}}, {.clients = policy, .client_ca_pem = bundle});
    }
};

const Cast& cast() {
    static const Cast all;
    return all;
}

std::function<void(SSL_CTX*)> showing(const Pair& pair) {
    return [&pair](SSL_CTX* context) { use_pair(context, pair); };
}

}  // namespace

TEST_CASE("client certificates: valid_only takes those that the bundle verifies, and says why not") {
    const auto set = cast().asking(ClientPolicy::valid_only, cast().ca.chain);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client good("one", version, showing(cast().good));
        Session session(set->choose({}));
        REQUIRE(run_handshake(good, session));
        REQUIRE(session.peer() != nullptr);
        CHECK(session.peer()->verified);
        CHECK(session.peer()->subject == "CN=alice");
        CHECK(session.peer()->issuer == "CN=ca");
        CHECK(session.peer()->names == std::vector<std::string>{"DNS:a.example", "URI:spiffe://example/alice", "IP:10.0.0.1", "IP:2001:db8::1", "email:a@b.example"});
        CHECK(session.peer()->fingerprint.size() == 64);
        CHECK(session.peer()->not_after > std::time(nullptr));

        struct Row {
            const Pair* shown;
            const char* says;
        };
        for (const Row& row : std::initializer_list<Row>{
                 {nullptr, "did not return"}, {&cast().bad, "unable to get local issuer"}, {&cast().expired, "expired"}, {&cast().of_middle, "unable to get local issuer"}}) {
            Client client("one", version, row.shown != nullptr ? showing(*row.shown) : std::function<void(SSL_CTX*)>());
            Session refused(set->choose({}));
            run_handshake(client, refused);
            CHECK(refused.state() == SessionState::failed);
            CHECK(refused.fault() == Fault::certificate);
            CHECK(refused.detail().find(row.says) != std::string::npos);
            CHECK(refused.peer() == nullptr);
        }
    }
}

TEST_CASE("client certificates: each certificate of a bundle is an anchor, also one that another CA signed") {
    const auto set = cast().asking(ClientPolicy::valid_only, cast().stranger.chain + cast().middle.chain);
    Client client("one", 0, showing(cast().of_middle));
    Session session(set->choose({}));
    CHECK(run_handshake(client, session));
}

TEST_CASE("client certificates: insecure_fallback takes none or any, and tells which") {
    const auto set = cast().asking(ClientPolicy::insecure_fallback, cast().ca.chain);
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client none("one", version);
        Session without(set->choose({}));
        CHECK(run_handshake(none, without));
        CHECK(without.peer() == nullptr);
        struct Row {
            const Pair& shown;
            bool verified;
        };
        for (const Row& row : std::initializer_list<Row>{{cast().good, true}, {cast().bad, false}, {cast().expired, false}}) {
            Client client("one", version, showing(row.shown));
            Session session(set->choose({}));
            SSL_SESSION* kept = session_of(client, session);
            REQUIRE(kept != nullptr);
            REQUIRE(session.peer() != nullptr);
            CHECK(session.peer()->verified == row.verified);
            // A resumed session remembers what was shown, and what it was worth.
            Client later("one", version, {}, kept);
            Session again(set->choose({}));
            CHECK(run_handshake(later, again));
            CHECK(again.resumed());
            REQUIRE(again.peer() != nullptr);
            CHECK(again.peer()->verified == row.verified);
            CHECK(again.peer()->fingerprint == session.peer()->fingerprint);
            SSL_SESSION_free(kept);
        }
    }
}

TEST_CASE("client certificates: a ticket does not outlive the certificate") {
    const Pair brief = issue({.name = "brief", .issuer = &cast().ca, .valid_seconds = 2});
    const auto set = cast().asking(ClientPolicy::valid_only, cast().ca.chain);
    Client client("one", TLS1_3_VERSION, showing(brief));
    Session session(set->choose({}));
    SSL_SESSION* kept = session_of(client, session);
    REQUIRE(kept != nullptr);
    const std::time_t over = session.peer()->not_after;
    while (std::time(nullptr) <= over) {
        const timespec pause = {0, 50'000'000};
        ::nanosleep(&pause, nullptr);
    }
    Client later("one", TLS1_3_VERSION, {}, kept);
    Session again(set->choose({}));
    run_handshake(later, again);
    CHECK(again.fault() == Fault::certificate);
    SSL_SESSION_free(kept);
}

TEST_CASE("client certificates: a bundle without a readable certificate is an error, never no check") {
    for (const std::string& bundle : {std::string(), std::string("nonsense"), cast().ca.chain + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}) {
        CHECK(cast().asking(ClientPolicy::valid_only, bundle) == nullptr);
    }
    CHECK(cast().asking(ClientPolicy::insecure_fallback, "nonsense") == nullptr);
}

TEST_CASE("client certificates: what a stranger wrote into its certificate is bounded and printable") {
    std::string names = "DNS:x0";
    for (int i = 1; i < 100; ++i) {
        names += ",DNS:x" + std::to_string(i);
    }
    const Pair odd = issue({.name = std::string("a\nb\x01", 4) + std::string(40, 'y'), .names = names});
    X509* certificate = certificate_of(odd.chain);
    const auto peer = PeerCertificate::of(certificate, false);
    X509_free(certificate);
    CHECK(peer->names.size() == PeerCertificate::kNamesMax);
    CHECK(peer->subject.size() <= PeerCertificate::kTextMax);
    CHECK(std::all_of(peer->subject.begin(), peer->subject.end(), [](char c) { return c >= 0x20; }));
}
