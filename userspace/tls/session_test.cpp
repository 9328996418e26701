// SPDX-License-Identifier: Apache-2.0
// Sessions against OpenSSL's own client in memory.
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

TEST_CASE("session: garbage and too old versions fail with a fault and an alert") {
    const auto set = set_of({{make_certificate("one"), {"one"}}}, {.suites = {.version_min = kTls13}});
    Session session(set->choose({}));
    std::vector<std::uint8_t> plain;
    const std::string garbage = "GET / HTTP/1.1\r\n\r\n";
    CHECK(session.feed({reinterpret_cast<const std::uint8_t*>(garbage.data()), garbage.size()}, plain) == SessionState::failed);
    CHECK(session.fault() == Fault::not_tls);
    CHECK_FALSE(session.detail().empty());
    Session strict(set->choose({}));
    CHECK(strict.feed(hello_of("one", TLS1_2_VERSION), plain) == SessionState::failed);
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
