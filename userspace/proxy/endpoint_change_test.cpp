// SPDX-License-Identifier: Apache-2.0
// Endpoints that die before the tables say so, through real sockets on both rings.
#include "userspace/proxy/endpoint_change.hpp"

#include "userspace/proxy/test_http2.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

void dies_at_once(Peer& peer) {
    peer.message();
    peer.reset();
}

constexpr const char* kNew = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew";
constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Snapshot with(const Endpoint& endpoint) { return http_snapshot({endpoint}); }

void wait_for_changes(Edge& edge, ring::Duration wait) {
    edge.on_thread([&](Context& context) { context.change_wait = wait; });
}

// As long as somebody waits for the tables, or for ever.
void until_one_waits(Edge& edge) {
    CHECK(Edge::eventually([&] {
        bool waits = false;
        edge.on_thread([&](Context& context) { waits = context.tables_changed.waited(); });
        return waits;
    }));
}

// As long as somebody still connects.
void until_one_connects(Edge& edge) {
    CHECK(Edge::eventually([&] { return edge.dials(); }));
}

// Where connections neither come about nor are refused.
class Silent {
public:
    Silent() : only_(Peer::connect(at())) {}
    [[nodiscard]] Endpoint at() const { return local_of(listener_.get()); }

private:
    Fd listener_ = listening(0);
    Peer only_;  // the kernel's queue is full
};

}  // namespace

TEST_CASE("endpoint_change: a request that every endpoint refuses goes to the one that comes") {
    Backend fresh(always(kNew));
    Edge edge(ring_kind(), with(nobody()));
    wait_for_changes(edge, 60s);
    for (const std::string& request : std::initializer_list<std::string>{kGet, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"}) {
        edge.serve(with(nobody()));  // of another number: nobody knows yet that it is dead
        Peer client = edge.client();
        client.send(request);
        until_one_waits(edge);
        edge.serve(with(fresh.at()));
        const Message answer = client.message();
        CHECK(answer.status() == 200);
        CHECK(answer.body == "new");
    }
    CHECK(edge.reasons(Reason::backend_connect) == 0);
}

TEST_CASE("endpoint_change: a request whose endpoint dies under it goes on if that is taken out") {
    Backend old(dies_at_once);
    Backend fresh(always(kNew));
    Edge edge(ring_kind(), with(old.at()));
    wait_for_changes(edge, 60s);
    Peer client = edge.client();
    client.send(kGet);
    until_one_waits(edge);
    edge.serve(http_snapshot({old.at(), fresh.at()}));  // it is there still: that explains nothing
    until_one_waits(edge);
    edge.serve(with(fresh.at()));
    CHECK(client.message().body == "new");
    CHECK(old.connections() == 1);
}

TEST_CASE("endpoint_change: a kept connection that dies with its endpoint is followed by one to the next") {
    std::atomic<int> number = 0;
    Backend old([&](Peer& peer) {
        if (number++ == 0) {
            peer.message();
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold");
        }
        peer.message();
        peer.reset();
    });
    Backend fresh(always(kNew));
    Edge edge(ring_kind(), with(old.at()));
    wait_for_changes(edge, 60s);
    Peer client = edge.client();
    CHECK(client.ask(kGet).body == "old");
    client.send(kGet);
    until_one_waits(edge);
    edge.serve(with(fresh.at()));
    CHECK(client.message().body == "new");
    CHECK(old.connections() == 2);  // the kept one, and one that was tried at once
}

TEST_CASE("endpoint_change: nothing comes: the fault is told, and who was known to fail is not waited for") {
    Edge edge(ring_kind(), with(nobody()));
    wait_for_changes(edge, 2s);
    Peer client = edge.client();
    CHECK(client.ask(kGet).status() == 503);
    const auto begun = std::chrono::steady_clock::now();
    CHECK(client.ask(kGet).field("X-Penstock-Reason") == "backend_connect");
    CHECK(std::chrono::steady_clock::now() - begun < 2s);
}

TEST_CASE("endpoint_change: what may not be sent twice is not") {
    Backend old(dies_at_once);
    Edge edge(ring_kind(), with(old.at()));
    Peer client = edge.client();
    const Message answer = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    CHECK(answer.status() == 502);
    CHECK(answer.field("X-Penstock-Reason") == "backend_closed");
    CHECK(old.connections() == 1);
}

TEST_CASE("endpoint_change: a client that leaves while its request waits is let go when the wait is over") {
    Edge edge(ring_kind(), with(nobody()));
    wait_for_changes(edge, 300ms);
    {
        Peer client = edge.client();
        client.send(kGet);
        until_one_waits(edge);
    }
    CHECK(Edge::eventually([&] { return edge.stats().connections_open == 0; }));
}

TEST_CASE("endpoint_change: who still connects to an endpoint that leaves goes to the one that comes") {
    const Silent old;
    Backend fresh(always(kNew));
    RuleSpec retried;
    retried.rule.retry = std::make_unique<fb::RetryT>();
    retried.rule.retry->attempts = 5;
    retried.rule.retry->backoff_ms = 60'000;
    for (const bool retries : {false, true}) {
        const auto snapshot = [&](const Endpoint& at) { return retries ? http_snapshot({at}, {retried}) : with(at); };
        Edge edge(ring_kind(), snapshot(old.at()));
        wait_for_changes(edge, 60s);
        Peer client = edge.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        until_one_connects(edge);
        edge.serve(http_snapshot({old.at(), fresh.at()}));  // it stays: that may be slow
        CHECK(edge.dials());
        edge.serve(snapshot(fresh.at()));
        CHECK(client.message().body == "new");
        CHECK(std::all_of(edge.stats().sets.begin(), edge.stats().sets.end(), [](const SetStats& one) { return one.connect_failures == 0; }));
    }
}

TEST_CASE("endpoint_change: where nobody is left, who connects goes on until another comes, also a second time") {
    const Silent old;
    const Silent next;
    Backend fresh(always(kNew));
    Edge edge(ring_kind(), with(old.at()));
    wait_for_changes(edge, 60s);
    Peer client = edge.client();
    client.send(kGet);
    until_one_connects(edge);
    edge.serve(http_snapshot({}));
    CHECK(edge.dials());
    edge.serve(with(next.at()));
    CHECK(edge.dials());
    edge.serve(http_snapshot({old.at(), next.at()}));
    edge.serve(with(fresh.at()));
    CHECK(client.message().body == "new");
}

TEST_CASE("endpoint_change: who connects for a set that is there no more goes on") {
    const Silent old;
    RuleSpec elsewhere;
    elsewhere.backends = {{"other", 1}};
    Snapshot other = http_snapshot({}, {elsewhere});
    other.remove(fb::PartKind::Backends, "web");
    other.backends("other", {nobody()});
    Edge edge(ring_kind(), with(old.at()));
    Peer client = edge.client();
    client.send(kGet);
    until_one_connects(edge);
    edge.serve(other);
    CHECK(edge.dials());
}

TEST_CASE("endpoint_change: a stream of TCP finds the endpoint that comes") {
    Backend fresh([](Peer& peer) { peer.send("new"); });
    Edge edge(ring_kind(), tcp_snapshot(nobody()));
    wait_for_changes(edge, 60s);
    Peer client = edge.client();
    client.send("x");
    until_one_waits(edge);
    edge.serve(tcp_snapshot(fresh.at()));
    CHECK(client.take(3) == "new");
}

TEST_CASE("endpoint_change: a retry that the rule allows does not wait") {
    std::atomic<int> number = 0;
    Backend backend([&](Peer& peer) {
        peer.message();
        if (number++ == 0) {
            peer.reset();
        } else {
            peer.send(kNew);
        }
    });
    RuleSpec rule;
    rule.rule.request_ms = 5000;
    rule.rule.retry = std::make_unique<fb::RetryT>();
    rule.rule.retry->codes = {502};
    rule.rule.retry->attempts = 1;
    Edge edge(ring_kind(), http_snapshot({backend.at()}, {rule}));
    wait_for_changes(edge, 60s);
    CHECK(edge.client().ask(kGet).body == "new");
}

TEST_CASE("endpoint_change: a retry asks the endpoints that there are when it is made") {
    std::atomic<int> asked = 0;
    Backend old([&](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
        ++asked;
    });
    Backend fresh(always(kNew));
    RuleSpec rule;
    rule.rule.request_ms = 20'000;
    rule.rule.retry = std::make_unique<fb::RetryT>();
    rule.rule.retry->codes = {503};
    rule.rule.retry->attempts = 1;
    rule.rule.retry->backoff_ms = 2000;
    Edge edge(ring_kind(), http_snapshot({old.at()}, {rule}));
    Peer client = edge.client();
    client.send(kGet);
    REQUIRE(Edge::eventually([&] { return asked == 1; }));
    edge.serve(http_snapshot({fresh.at()}, {rule}));
    CHECK(client.message().body == "new");
    CHECK(asked == 1);
}

TEST_CASE("endpoint_change: streams of one connection of HTTP/2 find the endpoint that comes, each for itself") {
    Backend fresh(always(kNew));
    Edge edge(ring_kind(), with(nobody()));
    wait_for_changes(edge, 60s);
    Http2Peer client(edge.client());
    h2::Listener& one = client.get("/1");
    h2::Listener& two = client.get("/2");
    h2::Listener& left = client.get("/3");
    h2::Listener& posted = client.open({"POST", "http", "shop.example", "/4"}, {}, false);
    client.flush();
    until_one_waits(edge);
    left.stream->reset(http::H2Code::cancel);
    client.flush();
    edge.serve(with(fresh.at()));
    for (const h2::Listener* stream : {&one, &two}) {
        REQUIRE(client.done(*stream));
        CHECK(status_of(*stream) == 200);
        CHECK(stream->body == "new");
    }
    posted.stream->end();
    REQUIRE(client.done(posted));
    CHECK(status_of(posted) == 200);
    CHECK(edge.reasons(Reason::backend_connect) == 0);
}

TEST_CASE("endpoint_change: a mirror whose endpoints are dead holds nobody up, and waits for none") {
    Backend backend(always(kNew));
    RuleSpec rule;
    rule.rule.filters = std::make_unique<fb::FiltersT>();
    rule.rule.filters->mirrors.push_back(std::make_unique<fb::MirrorT>());
    rule.rule.filters->mirrors[0]->backends = "mirror";
    rule.rule.filters->mirrors[0]->numerator = rule.rule.filters->mirrors[0]->denominator = 1;
    Snapshot snapshot = http_snapshot({backend.at()}, {rule});
    snapshot.backends("mirror", {nobody()});
    Edge edge(ring_kind(), std::move(snapshot));
    wait_for_changes(edge, 60s);
    CHECK(edge.client().ask(kGet).body == "new");
    CHECK(Edge::eventually([&] { return edge.reasons(Reason::mirror_failed) == 1; }));
}
