// SPDX-License-Identifier: Apache-2.0
// Sessions to backends, which OpenSSL's server plays: whom they believe, what they show, what they resume.
#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

struct Cast {
    Pair ca = issue({.name = "ca", .ca = true});
    Pair other_ca = issue({.name = "other", .ca = true});
    Pair shop = issue({.name = "ignored.example", .names = "DNS:shop.example,DNS:*.wild.example,URI:spiffe://example/shop,IP:10.0.0.1", .issuer = &ca});
    Pair expired = issue({.name = "shop.example", .names = "DNS:shop.example", .issuer = &ca, .valid_seconds = -60});
    Pair ours = issue({.name = "edge", .names = "DNS:edge.example", .issuer = &ca});
};

const Cast& cast() {
    static const Cast all;
    return all;
}

const Endpoint kHere = *Endpoint::parse("10.0.0.1:443");

std::shared_ptr<const BackendContext> believing(BackendOptions options) {
    if (options.ca_pem.empty()) {
        options.ca_pem = cast().ca.chain;
    }
    auto context = BackendContext::build(options);
    REQUIRE(context.ok());
    return *context;
}

struct Outcome {
    bool connected = false;
    Fault fault = Fault::none;
    std::string detail;
};

Outcome dial(const std::shared_ptr<const BackendContext>& context, const Pair& shown, const CertificateOptions& server_options = {}) {
    const auto set = set_of({{shown, {}}}, server_options);
    Server server(*set);
    Session session(context, kHere);
    const bool connected = run_handshake(server, session);
    return {connected, session.fault(), session.detail()};
}

}  // namespace

TEST_CASE("backend: its certificate must be of one of the names, by a CA that is believed") {
    struct Row {
        std::vector<std::string> dns, uris;
        bool fits;
    };
    for (const Row& row : std::initializer_list<Row>{{{"shop.example"}, {}, true},
                                                     {{"SHOP.example"}, {}, true},
                                                     {{"a.wild.example"}, {}, true},
                                                     {{"a.b.wild.example"}, {}, false},
                                                     {{"wild.example"}, {}, false},
                                                     {{"*.wild.example"}, {}, true},
                                                     {{"*.example"}, {}, false},
                                                     {{"ignored.example"}, {}, false},  // a common name is no name
                                                     {{"10.0.0.1"}, {}, true},
                                                     {{"10.0.0.2"}, {}, false},
                                                     {{}, {"spiffe://example/shop"}, true},
                                                     {{}, {"spiffe://example/Shop"}, false},
                                                     {{}, {"spiffe://example/sho"}, false},
                                                     {{"no.example", "shop.example"}, {}, true},
                                                     {{"no.example"}, {"spiffe://example/no", "spiffe://example/shop"}, true},
                                                     {{"no.example"}, {"spiffe://example/no"}, false}}) {
        INFO((row.dns.empty() ? row.uris.front() : row.dns.front()));
        const auto context = believing({.server_name = "shop.example", .dns_names = row.dns, .uris = row.uris});
        const Outcome outcome = dial(context, cast().shop);
        CHECK(outcome.connected == row.fits);
        CHECK(outcome.fault == (row.fits ? Fault::none : Fault::certificate));
        CHECK((row.fits || outcome.detail.find("mismatch") != std::string::npos));
    }
    const Outcome stranger = dial(believing({.server_name = "shop.example", .dns_names = {"shop.example"}, .ca_pem = cast().other_ca.chain}), cast().shop);
    CHECK(stranger.fault == Fault::certificate);
    CHECK(stranger.detail.find("unable to get local issuer") != std::string::npos);
    CHECK(dial(believing({.server_name = "shop.example", .dns_names = {"shop.example"}}), cast().expired).detail.find("expired") != std::string::npos);
}

TEST_CASE("backend: the server name is sent as it is given, an address is not") {
    const auto set = set_of({{cast().shop, {}}});
    for (const char* name : {"other.example", "10.0.0.1", ""}) {
        Server server(*set);
        Session session(believing({.server_name = name, .dns_names = {"shop.example"}}), kHere);
        REQUIRE(run_handshake(server, session));
        const char* sent = SSL_get_servername(server.ssl(), TLSEXT_NAMETYPE_host_name);
        CHECK(std::string(sent != nullptr ? sent : "") == (std::string(name) == "other.example" ? name : ""));
    }
}

TEST_CASE("backend: both versions, bytes both ways, protocols by preference") {
    for (const std::uint16_t version : {kTls12, kTls13}) {
        const auto set = set_of({{cast().shop, {}}}, {.alpn = {"h2", "http/1.1"}});
        Server server(*set);
        Session session(believing({.server_name = "shop.example", .dns_names = {"shop.example"}, .alpn = {"http/1.1"}, .suites = {.version_min = version, .version_max = version}}), kHere);
        REQUIRE(run_handshake(server, session, 7));
        CHECK(session.alpn() == "http/1.1");
        REQUIRE(say(session, "ask"));
        server.receive(session.output());
        CHECK(server.read() == "ask");
        server.write("answer");
        CHECK(pass(session, server.sent()) == "answer");
        SSL_shutdown(server.ssl());
        pass(session, server.sent());
        CHECK(session.state() == SessionState::closed);
    }
}

TEST_CASE("backend: our certificate is shown to those who ask") {
    const CertificateOptions asking{.clients = ClientPolicy::valid_only, .client_ca_pem = cast().ca.chain};
    const BackendOptions plain{.server_name = "shop.example", .dns_names = {"shop.example"}, .suites = {.version_max = kTls12}};
    CHECK_FALSE(dial(believing(plain), cast().shop, asking).connected);
    BackendOptions with = plain;
    with.chain_pem = cast().ours.chain;
    with.key_pem = cast().ours.key;
    for (const std::uint16_t version : {kTls12, kTls13}) {
        with.suites = {.version_min = version, .version_max = version};
        CHECK(dial(believing(with), cast().shop, asking).connected);
    }
}

TEST_CASE("backend: a reconnect to the same endpoint resumes, to another one it does not") {
    for (const std::uint16_t version : {kTls12, kTls13}) {
        const auto set = set_of({{cast().shop, {}}});
        const auto context = believing({.server_name = "shop.example", .dns_names = {"shop.example"}, .suites = {.version_min = version, .version_max = version}});
        const auto connect = [&](const Endpoint& to, const CertificateSet& with) {
            Server server(with);
            Session session(context, to);
            CHECK(run_handshake(server, session));
            server.write("x");  // a ticket of TLS 1.3 came before it
            CHECK(pass(session, server.sent()) == "x");
            return session.resumed();
        };
        CHECK_FALSE(connect(kHere, *set));
        CHECK(connect(kHere, *set));
        CHECK(connect(kHere, *set));
        CHECK_FALSE(connect(*Endpoint::parse("10.0.0.2:443"), *set));
        // A server that forgot its keys: a whole handshake, and the next one resumes.
        const auto restarted = set_of({{cast().shop, {}}}, {.tickets = std::make_shared<TicketKeys>()});
        CHECK_FALSE(connect(kHere, *restarted));
        CHECK(connect(kHere, *restarted));
    }
}

TEST_CASE("backend: without names, without CAs or with half a certificate there is no context") {
    CHECK_FALSE(BackendContext::build({.server_name = "shop.example", .ca_pem = cast().ca.chain}).ok());
    const auto named = [](BackendOptions options) {
        options.dns_names = {"shop.example"};
        options.object = "BackendTLSPolicy default/shop";
        const auto context = BackendContext::build(options);
        return context.ok() ? "" : context.error().message();
    };
    CHECK(named({.ca_pem = "nonsense"}).find("BackendTLSPolicy default/shop") != std::string::npos);
    CHECK_FALSE(named({.ca_pem = cast().ca.chain, .chain_pem = cast().ours.chain}).empty());
    CHECK_FALSE(named({.ca_pem = cast().ca.chain, .chain_pem = cast().ours.chain, .key_pem = cast().shop.key}).empty());
}

TEST_CASE("backend: the system's CAs are read, and believe nobody of ours") {
    const auto context = BackendContext::build({.server_name = "shop.example", .dns_names = {"shop.example"}});
    if (!context.ok()) {
        CHECK(context.error().message().find("no CA certificates") != std::string::npos);
        return;
    }
    CHECK(dial(*context, cast().shop).fault == Fault::certificate);
}
