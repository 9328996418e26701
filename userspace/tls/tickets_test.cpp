// SPDX-License-Identifier: Apache-2.0
// Session tickets with OpenSSL's client: which resume where, and for how long.
#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

const Pair& pair_one() {
    static const Pair pair = make_certificate("one");
    return pair;
}

std::shared_ptr<const CertificateSet> with(std::shared_ptr<const TicketKeys> keys, CertificateOptions options = {}) {
    options.tickets = std::move(keys);
    auto set = set_of({{pair_one(), {"one"}}}, options);
    REQUIRE(set != nullptr);
    return set;
}

// A ticket of `from` resumes on `to`; asked of both versions, whose answers must agree.
bool resumes(const CertificateSet& from, const CertificateSet& to) {
    int resumed = 0;
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Client first("one", version);
        Session session(from.choose({}));
        SSL_SESSION* kept = session_of(first, session);
        REQUIRE(kept != nullptr);
        Client second("one", version, {}, kept);
        Session again(to.choose({}));
        REQUIRE(run_handshake(second, again));
        CHECK(again.resumed() == (SSL_session_reused(second.ssl()) == 1));
        resumed += again.resumed() ? 1 : 0;
        SSL_SESSION_free(kept);
    }
    CHECK(resumed != 1);
    return resumed == 2;
}

}  // namespace

TEST_CASE("tickets: they resume on any set with the same keys, and on none with others") {
    const auto keys = std::make_shared<TicketKeys>();
    CHECK(resumes(*with(keys), *with(keys)));
    CHECK_FALSE(resumes(*with(keys), *with(std::make_shared<TicketKeys>())));
    CHECK(resumes(*with(nullptr), *with(nullptr)));  // of this process
    // The same bytes on another node.
    std::vector<std::uint8_t> bytes(TicketKey::kBytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::uint8_t>(3 * i);
    }
    const auto node = [&] { return std::make_shared<TicketKeys>(std::vector{*TicketKey::parse(bytes)}); };
    CHECK(resumes(*with(node()), *with(node())));
    CHECK_FALSE(TicketKey::parse(std::span(bytes).first(79)).has_value());
}

TEST_CASE("tickets: a rotation keeps the previous and the next key, and forgets older ones") {
    const TicketKey a = TicketKey::random();
    const TicketKey b = TicketKey::random();
    const TicketKey c = TicketKey::random();
    const auto keys = std::make_shared<TicketKeys>(std::vector{a, b});
    const auto set = with(keys);
    const auto ahead = with(std::make_shared<TicketKeys>(std::vector{b, c, a}));
    CHECK(resumes(*set, *ahead));   // a node that rotated already
    CHECK(resumes(*ahead, *set));   // and one that did not
    const auto far = with(std::make_shared<TicketKeys>(std::vector{c, b}));
    CHECK_FALSE(resumes(*set, *far));
    // The same objects go on with new keys.
    Client first("one");
    Session session(set->choose({}));
    SSL_SESSION* kept = session_of(first, session);
    keys->set({c, b});
    Client second("one", 0, {}, kept);
    Session again(set->choose({}));
    CHECK(run_handshake(second, again));
    CHECK_FALSE(again.resumed());
    SSL_SESSION_free(kept);
}

TEST_CASE("tickets: none crosses to a listener that asks other things of clients") {
    const auto keys = std::make_shared<TicketKeys>();
    const Pair ca = issue({.name = "ca", .ca = true});
    const Pair other = issue({.name = "other", .ca = true});
    const auto open = with(keys);
    const auto asks = with(keys, {.clients = ClientPolicy::insecure_fallback, .client_ca_pem = ca.chain});
    const auto asks_others = with(keys, {.clients = ClientPolicy::insecure_fallback, .client_ca_pem = other.chain});
    const auto scoped = with(keys, {.scope = "Gateway default/other"});
    CHECK(resumes(*asks, *asks));
    CHECK_FALSE(resumes(*open, *asks));
    CHECK_FALSE(resumes(*asks, *open));
    CHECK_FALSE(resumes(*asks, *asks_others));
    CHECK_FALSE(resumes(*open, *scoped));
}

TEST_CASE("tickets: one for each handshake, and each lasts as long as asked") {
    const auto set = with(nullptr, {.ticket_seconds = 600});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        static int tickets = 0;
        tickets = 0;
        Client client("one", version, [](SSL_CTX* context) {
            SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
            SSL_CTX_sess_set_new_cb(context, [](SSL*, SSL_SESSION*) {
                ++tickets;
                return 0;
            });
        });
        Session session(set->choose({}));
        SSL_SESSION* kept = session_of(client, session);
        CHECK(tickets == 1);
        CHECK(SSL_SESSION_get_ticket_lifetime_hint(kept) == 600);
        SSL_SESSION_free(kept);
    }
}

// A client of TLS 1.3 that keeps sessions uses a ticket once: OpenSSL's calls its session not resumable from then on. One of 1.2 goes on with it.
TEST_CASE("tickets: a resumed handshake of TLS 1.3 gives the next one") {
    const auto set = with(nullptr);
    const auto keeping = [](SSL_CTX* context) { SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE); };
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        std::vector<std::unique_ptr<Client>> clients;  // one that goes without a shutdown takes its session with it
        SSL_SESSION* kept = nullptr;
        for (int round = 0; round < 4; ++round) {
            clients.push_back(std::make_unique<Client>("one", version, keeping, kept));
            Session session(set->choose({}));
            SSL_SESSION* next = session_of(*clients.back(), session);
            REQUIRE(next != nullptr);
            CHECK(session.resumed() == (round > 0));
            CHECK(SSL_SESSION_is_resumable(next) == 1);
            SSL_SESSION_free(std::exchange(kept, next));
        }
        SSL_SESSION_free(kept);
    }
}
