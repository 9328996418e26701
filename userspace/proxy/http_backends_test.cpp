// SPDX-License-Identifier: Apache-2.0
// To which backend a request goes, and when to another one, through real sockets on both rings.
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

TEST_CASE("http_proxy: a kept connection that the backend has closed meanwhile costs the client nothing") {
    // The first answer promises more; the next request on it is met by a reset.
    std::atomic<int> number = 0;
    Backend backend([&](Peer& peer) {
        const int mine = number++;
        peer.message();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(mine));
        peer.message();
        if (mine == 0) {
            peer.reset();
            return;
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(mine));
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "0");
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "1");
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "1");
    CHECK(backend.connections() == 2);
    CHECK(edge.reasons(Reason::backend_closed) == 0);
}

TEST_CASE("http_proxy: what may have been served is not sent twice") {
    std::atomic<int> seen = 0;
    Backend backend([&](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n0");
        if (peer.message().whole) {
            ++seen;
        }
        peer.reset();
    });
    Edge edge(ring_kind(), http_snapshot({backend.at()}));
    Peer client = edge.client();
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").status() == 502);
    CHECK(seen == 1);
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);  // and the client's connection stays
}

TEST_CASE("http_proxy: an endpoint that refuses is passed over") {
    Backend good(echo);
    const Endpoint dead = nobody();
    Edge edge(ring_kind(), http_snapshot({dead, good.at(), dead}));
    Peer client = edge.client();
    for (int i = 0; i < 6; ++i) {
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
}

TEST_CASE("http_proxy: weights hold exactly over each cycle, unresolved shares included") {
    Backend one(always("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1"));
    Backend two(always("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2"));
    RuleSpec rule;
    rule.backends = {{"web", 3}, {"two", 2}, {"", 1}, {"web", 0}, {"empty", 4}};
    Snapshot snapshot = http_snapshot({one.at()}, {rule});
    snapshot.backends("two", {two.at()});
    snapshot.backends("empty", {});
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    std::map<std::string, int> answers;
    for (int i = 0; i < 60; ++i) {
        const Message answer = client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        answers[answer.status() == 200 ? answer.body : std::to_string(answer.status())]++;
    }
    CHECK(answers == std::map<std::string, int>{{"1", 18}, {"2", 12}, {"500", 6}, {"503", 24}});
}

TEST_CASE("http_proxy: a rule without a backend to send to says why") {
    Backend backend(echo);
    struct Row {
        const char* why;
        std::vector<std::pair<std::string, std::uint32_t>> backends;
        int status;
        const char* reason;
    };
    for (const Row& row : std::initializer_list<Row>{{"no backendRefs", {}, 500, "unresolved_backend"},
                                                     {"a reference that does not resolve", {{"", 1}}, 500, "unresolved_backend"},
                                                     {"all weights zero", {{"web", 0}, {"web", 0}}, 500, "unresolved_backend"},
                                                     {"the only weight is that of a Service without a ready endpoint", {{"web", 0}, {"empty", 1}}, 503, "no_backend"},
                                                     {"a Service without a ready endpoint", {{"empty", 1}}, 503, "no_backend"}}) {
        INFO(row.why);
        RuleSpec rule;
        rule.backends = row.backends;
        Snapshot snapshot = http_snapshot({backend.at()}, {rule});
        snapshot.backends("empty", {});
        Edge edge(ring::Kind::epoll, snapshot);
        const Message answer = edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(answer.status() == row.status);
        CHECK(answer.field("X-Penstock-Reason") == row.reason);
    }
}
