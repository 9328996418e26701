// SPDX-License-Identifier: Apache-2.0
// Sessions of both roles against OpenSSL in memory.
#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

std::vector<std::uint8_t> hello_of(const char* name, int version = 0) {
    Client client(name, version);
    client.handshake();
    return client.sent();
}

ClientHello parsed(const std::vector<std::uint8_t>& bytes) {
    ClientHello hello;
    std::string fault;
    REQUIRE(parse_client_hello(bytes, hello, fault) == HelloResult::done);
    return hello;
}

}  // namespace

TEST_CASE("session: every version and cipher, both roles, cut everywhere, both ways, with close_notify") {
    const bool server_side = GENERATE(true, false);
    for (const Row& row : kRows) {
        for (const std::size_t cut : {1UL, 7UL, 100'000UL}) {
            INFO(row.cipher << ", cut at " << cut << (server_side ? ", our server" : ", our client"));
            const Talk talk = begin(row, server_side, cut);
            Session& session = *talk.session;
            CHECK(session.own_records() == row.ours);
            CHECK(session.facts().version == row.version);
            CHECK(std::string(session.facts().cipher) == row.cipher);
            CHECK(session.alpn() == "http/1.1");
            for (const std::size_t size : {1U, 100U, 16'384U, 16'385U, 70'000U}) {
                if (size > 1000 * cut) {
                    continue;
                }
                const std::string text = pattern(size);
                talk.peer->write(text);
                const std::string got = pass(session, talk.peer->sent(), cut);
                CHECK(got.size() == text.size());
                REQUIRE((got == text));
                REQUIRE(say(session, text));
                talk.peer->receive(std::exchange(session.output(), {}));
                REQUIRE((drain(*talk.peer) == text));
            }
            session.close();
            session.close();
            CHECK_FALSE(say(session, "more"));
            talk.peer->receive(std::exchange(session.output(), {}));
            CHECK(talk.peer->read().empty());
            CHECK(SSL_get_shutdown(talk.peer->ssl()) == SSL_RECEIVED_SHUTDOWN);
            talk.peer->write("last words");  // it may: our end is closed, not its
            SSL_shutdown(talk.peer->ssl());
            CHECK(pass(session, talk.peer->sent(), cut) == "last words");
            CHECK(session.state() == SessionState::closed);
            CHECK(session.output().empty());
        }
    }
}

TEST_CASE("session: several parts leave in as few records as they fit in") {
    for (const Row& row : kRows) {
        const Talk talk = begin(row, true);
        std::string head = "head ";
        std::string body = pattern(20'000);
        std::string tail = " tail";
        iovec parts[] = {{head.data(), head.size()}, {nullptr, 0}, {body.data(), body.size()}, {tail.data(), tail.size()}};
        REQUIRE(talk.session->write(parts));
        const auto& out = talk.session->output();
        std::size_t records = 0;
        for (std::size_t at = 0; at < out.size(); at += 5U + (static_cast<std::size_t>(out[at + 3]) << 8 | out[at + 4])) {
            ++records;
        }
        CHECK(records <= (row.ours ? 2U : 4U));
        talk.peer->receive(out);
        CHECK(drain(*talk.peer) == head + body + tail);
    }
}

TEST_CASE("session: data right behind the client's last message is not lost, whoever reads the rest") {
    for (const Row& row : kRows) {
        const auto set = set_of({{make_certificate("one"), {"one"}}}, {.suites = {.ciphers = {row.cipher}}});
        Client client("one", row.version, [&](SSL_CTX* context) {
            SSL_CTX_set_ciphersuites(context, row.version == kTls13 ? row.cipher : "TLS_AES_128_GCM_SHA256");
        });
        Session session(set->choose({}));
        client.handshake();
        pass(session, client.sent());
        client.receive(std::exchange(session.output(), {}));
        CHECK(client.handshake() == (row.version == kTls13));
        if (row.version == kTls12) {
            pass(session, client.sent());
            client.receive(std::exchange(session.output(), {}));
            REQUIRE(client.handshake());
        }
        client.write("first");
        client.write("second");
        auto bytes = client.sent();
        session.feed(bytes);
        const auto first = session.next();
        CHECK(std::string(first.begin(), first.end()) == "first");
        const auto second = session.next();
        CHECK(std::string(second.begin(), second.end()) == "second");
        CHECK(std::string(first.begin(), first.end()) == "first");  // until it is released
        CHECK(session.next().empty());
    }
}

TEST_CASE("session: records are as short as the client asked (RFC 6066)") {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto set = set_of({{make_certificate("one"), {"one"}}});
        Client client("one", version);
        SSL_set_tlsext_max_fragment_length(client.ssl(), TLSEXT_max_fragment_length_1024);
        Session session(set->choose({}));
        REQUIRE(run_handshake(client, session));
        CHECK(session.own_records());
        REQUIRE(say(session, pattern(3000)));
        const auto& out = session.output();
        CHECK((static_cast<std::size_t>(out[3]) << 8 | out[4]) <= 1024 + 24);
        client.receive(out);
        CHECK(drain(client) == pattern(3000));
    }
}

TEST_CASE("session: garbage and too old versions fail with a fault and an alert") {
    const auto set = set_of({{make_certificate("one"), {"one"}}}, {.suites = {.version_min = kTls13}});
    Session session(set->choose({}));
    const std::string garbage = "GET / HTTP/1.1\r\n\r\n";
    pass(session, {garbage.begin(), garbage.end()});
    CHECK(session.state() == SessionState::failed);
    CHECK(session.fault() == Fault::not_tls);
    CHECK_FALSE(session.detail().empty());
    Session strict(set->choose({}));
    pass(strict, hello_of("one", TLS1_2_VERSION));
    CHECK(strict.state() == SessionState::failed);
    CHECK(strict.fault() == Fault::version);
    CHECK_FALSE(strict.output().empty());
    CHECK(set->refusal(parsed(hello_of("one", TLS1_2_VERSION))) == Fault::version);
    CHECK(set->refusal(parsed(hello_of("one"))) == Fault::none);
    // The alert that such a hello gets is one that the client understands.
    Client refused("one", TLS1_2_VERSION);
    refused.handshake();
    refused.receive(alert_of(Fault::version));
    CHECK_FALSE(refused.handshake());
    CHECK(ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION);
    ERR_clear_error();
}
