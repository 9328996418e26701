// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/mirror.hpp"

#include "userspace/proxy/test_http2.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

void add_mirror(RuleSpec& rule, const std::string& backends, std::uint32_t numerator = 1, std::uint32_t denominator = 1) {
    if (rule.rule.filters == nullptr) {
        rule.rule.filters = std::make_unique<fb::FiltersT>();
    }
    auto mirror = std::make_unique<fb::MirrorT>();
    mirror->backends = backends;
    mirror->numerator = numerator;
    mirror->denominator = denominator;
    rule.rule.filters->mirrors.push_back(std::move(mirror));
}

Snapshot mirrored(const Endpoint& backend, const std::map<std::string, Endpoint>& mirrors, const RuleSpec& rule) {
    Snapshot snapshot = http_snapshot({backend}, {rule});
    for (const auto& [key, endpoint] : mirrors) {
        snapshot.backends(key, {endpoint});
    }
    return snapshot;
}

// A backend that keeps what it was asked.
struct Recorder {
    std::mutex mutex = {};
    std::vector<std::string> asked = {};
    Backend backend{[this](Peer& peer) {
        for (Message request = peer.message(); request.whole; request = peer.message()) {
            {
                const std::lock_guard lock(mutex);
                asked.push_back(request.head + request.body);
            }
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nmirror");
        }
    }};
    std::size_t count() {
        const std::lock_guard lock(mutex);
        return asked.size();
    }
};

}  // namespace

TEST_CASE("mirror: a copy has method, target, body and what the rule's filters made of the head, not the backend's") {
    Backend backend(echo);
    Recorder one, two;
    RuleSpec rule;
    add_mirror(rule, "one");
    add_mirror(rule, "two");
    rule.rule.filters->request_headers = std::make_unique<fb::HeaderEditT>();
    rule.rule.filters->request_headers->remove = {"X-Gone"};
    Edge edge(ring_kind(), mirrored(backend.at(), {{"one", one.backend.at()}, {"two", two.backend.at()}}, rule));
    Peer client = edge.client();
    CHECK(client.ask("GET /a?request-id=1 HTTP/1.1\r\nHost: shop:80\r\nX-Gone: 1\r\nX-Stays: 1\r\n\r\n").body.starts_with("GET /a?request-id=1 "));
    CHECK(client.ask("POST /b HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").body.ends_with("abcde"));
    for (Recorder* mirror : {&one, &two}) {
        REQUIRE(Edge::eventually([&] { return mirror->count() == 2; }));
        const std::lock_guard lock(mirror->mutex);
        const bool ordered = mirror->asked[0].starts_with("GET");
        const std::string get = mirror->asked[ordered ? 0 : 1], post = mirror->asked[ordered ? 1 : 0];
        CHECK(get.starts_with("GET /a?request-id=1 HTTP/1.1\r\nHost: shop:80\r\n"));
        CHECK(get.find("X-Stays: 1") != std::string::npos);
        CHECK(get.find("X-Gone") == std::string::npos);
        CHECK(post.starts_with("POST /b "));
        CHECK(post.find("Content-Length: 5") != std::string::npos);
        CHECK(post.ends_with("\r\n\r\nabcde"));
    }
}

TEST_CASE("mirror: a copy goes to one endpoint of the mirror's, whoever else is there") {
    Backend backend(echo);
    Recorder one, two;
    RuleSpec rule;
    add_mirror(rule, "mirror");
    Snapshot snapshot = mirrored(backend.at(), {}, rule);
    snapshot.backends("mirror", {one.backend.at(), two.backend.at()}, fb::BackendProtocol::Http1, [](fb::BackendSetT& set) { set.id = 1; });
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    for (int i = 0; i < 10; ++i) {
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
    CHECK(Edge::eventually([&] { return one.count() + two.count() == 10; }));
    CHECK(one.count() == 5);
}

TEST_CASE("mirror: shares are exact over each period, of each mirror of a rule") {
    Backend backend(echo);
    Recorder all, some, none;
    RuleSpec rule;
    add_mirror(rule, "all");
    add_mirror(rule, "some", 3, 10);
    add_mirror(rule, "none", 0, 100);
    Edge edge(ring_kind(), mirrored(backend.at(), {{"all", all.backend.at()}, {"some", some.backend.at()}, {"none", none.backend.at()}}, rule));
    Peer client = edge.client();
    for (int i = 0; i < 50; ++i) {
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
    CHECK(Edge::eventually([&] { return all.count() == 50 && some.count() == 15; }));
    CHECK(none.count() == 0);
}

TEST_CASE("mirror: a connection that has not taken the whole copy is used by nobody again") {
    Backend backend(echo);
    // Answers before the copy is there, and reads no more of it than the head until the copy's time is over.
    std::atomic<int> connections = 0;
    std::promise<void> over;
    const std::shared_future<void> copy_is_over(over.get_future());
    Backend early([&](Peer& peer) {
        ++connections;
        for (std::string head = peer.take_until("\r\n\r\n"); !head.empty(); head = peer.take_until("\r\n\r\n")) {
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            if (head.starts_with("POST")) {
                copy_is_over.wait();
                peer.rest();
            }
        }
    });
    RuleSpec rule;
    add_mirror(rule, "early");
    Snapshot snapshot = mirrored(backend.at(), {{"early", early.at()}}, rule);
    snapshot.root.limits->retry_body_bytes_max = 16U << 20;
    Edge edge(ring_kind(), snapshot);
    edge.on_thread([](Context& context) { context.mirrors.copy_ms = 500; });
    const auto no_copy_is_left = [&] {
        std::size_t copies = 1;
        edge.on_thread([&](Context& context) { copies = context.mirrors.copies; });
        return connections == 1 && copies == 0;
    };
    const std::string body = pattern(12'000'000);
    Peer client = edge.client();
    // What comes on a kept connection is received though nobody waits for it: the early answer is there when the copy's time is over.
    CHECK(client.ask("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(Edge::eventually(no_copy_is_left));
    CHECK(client.ask("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 12000000\r\n\r\n" + body).status() == 200);
    CHECK(Edge::eventually(no_copy_is_left));
    over.set_value();
    edge.on_thread([](Context& context) { context.mirrors.copy_ms = 15'000; });
    CHECK(client.ask("GET /b HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(Edge::eventually([&] { return connections == 2; }));
}

TEST_CASE("mirror: a mirror that is dead, slow, silent or too eager changes nothing for the client") {
    Backend backend(echo);
    Backend silent([](Peer& peer) { peer.rest(); });
    Backend deaf([](Peer& peer) {
        std::this_thread::sleep_for(200ms);
        peer.reset();
    });
    Backend eager([](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        const std::string block(1U << 16, 'x');
        while (peer.send(block)) {
        }
    });
    const ring::Kind kind = ring_kind();
    for (const Endpoint& mirror : {nobody(), silent.at(), deaf.at(), eager.at()}) {
        RuleSpec rule;
        add_mirror(rule, "mirror");
        Edge edge(kind, mirrored(backend.at(), {{"mirror", mirror}}, rule));
        Peer client = edge.client();
        for (int i = 0; i < 20; ++i) {
            const Message answer = client.ask("PUT /" + std::to_string(i) + " HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
            CHECK(answer.status() == 200);
            CHECK(answer.body.ends_with("abc"));
        }
    }
}

TEST_CASE("mirror: interim answers without end are cut off") {
    Backend backend(echo);
    Backend hesitant([](Peer& peer) {
        const Message request = peer.message();
        for (int i = 0; i < (request.head.starts_with("GET /some") ? 100 : 101); ++i) {
            peer.send("HTTP/1.1 102 Processing\r\n\r\n");
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        peer.rest();
    });
    RuleSpec rule;
    add_mirror(rule, "mirror");
    Edge edge(ring_kind(), mirrored(backend.at(), {{"mirror", hesitant.at()}}, rule));
    CHECK(edge.client().ask("GET /some HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(edge.client().ask("GET /many HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(edge.counted(Reason::mirror_failed));
    CHECK(Edge::eventually([&] {
        std::size_t copies = 1;
        edge.on_thread([&](Context& context) { copies = context.mirrors.copies; });
        return copies == 0;
    }));
    CHECK(edge.reasons(Reason::mirror_failed) == 1);
}

TEST_CASE("mirror: copies that are on their way are counted and bounded, and the request is served without one") {
    Backend backend(echo);
    Backend silent([](Peer& peer) { peer.rest(); });
    RuleSpec rule;
    add_mirror(rule, "mirror");
    Edge edge(ring_kind(), mirrored(backend.at(), {{"mirror", silent.at()}}, rule));
    Peer client = edge.client();
    const auto load = [&] {
        MirrorLoad now;
        edge.on_thread([&](Context& context) { now = context.mirrors; });
        return now;
    };
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    CHECK(client.ask(post).status() == 200);
    CHECK(client.ask(post).status() == 200);
    CHECK(load().copies == 2);
    CHECK(load().bytes == 6);
    edge.on_thread([](Context& context) { context.mirrors.bytes = (32U << 20) - 2; });
    CHECK(client.ask(post).status() == 200);
    CHECK(edge.reasons(Reason::mirror_limit) == 1);
    CHECK(load().copies == 2);
    edge.on_thread([](Context& context) { context.mirrors.bytes = 6; });
    // Without a body it may be sent, until there are too many.
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(load().copies == 3);
    edge.on_thread([](Context& context) { context.mirrors.copies += 1021; });
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    CHECK(edge.reasons(Reason::mirror_limit) == 2);
    edge.on_thread([](Context& context) { context.mirrors.copies -= 1021; });
}

TEST_CASE("mirror: a body that is too long, or ends early, is not copied, and the backend's retry needs no second copy") {
    Recorder mirror;
    RuleSpec rule;
    add_mirror(rule, "mirror");
    const ring::Kind kind = ring_kind();
    SECTION("too long") {
        Backend backend(echo);
        Snapshot snapshot = mirrored(backend.at(), {{"mirror", mirror.backend.at()}}, rule);
        snapshot.root.limits->retry_body_bytes_max = 1000;
        Edge edge(kind, snapshot);
        Peer client = edge.client();
        const std::string fits = pattern(1000);
        const std::string longer = pattern(1001);
        CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + fits).body.ends_with(fits));
        CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + longer).body.ends_with(longer));
        CHECK(edge.counted(Reason::mirror_body));
        CHECK(Edge::eventually([&] { return mirror.count() == 1; }));
    }
    SECTION("ends early") {
        Backend backend(echo);
        Edge edge(kind, mirrored(backend.at(), {{"mirror", mirror.backend.at()}}, rule));
        Peer client = edge.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
        std::this_thread::sleep_for(20ms);
        client.close();
        CHECK(edge.counted(Reason::mirror_body));
        CHECK(mirror.count() == 0);
    }
    SECTION("retried") {
        std::atomic<int> asked = 0;
        Backend backend([&](Peer& peer) {
            while (peer.message().whole) {
                peer.send(asked++ == 0 ? "HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
            }
        });
        rule.rule.retry = std::make_unique<fb::RetryT>();
        rule.rule.retry->codes = {503};
        Edge edge(kind, mirrored(backend.at(), {{"mirror", mirror.backend.at()}}, rule));
        Peer client = edge.client();
        CHECK(client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc").status() == 200);
        CHECK(asked == 2);
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
        CHECK(Edge::eventually([&] { return mirror.count() == 2; }));
    }
}

TEST_CASE("mirror: over HTTP/2 on either side, and behind the PROXY protocol") {
    Recorder mirror;
    std::promise<std::string> told;
    Backend framed([&](Peer& peer) {
        const std::string header = peer.take_until("\r\n");
        told.set_value(header + peer.message().body);
    });
    Backend backend(echo);
    RuleSpec rule;
    add_mirror(rule, "mirror");
    add_mirror(rule, "framed");
    Snapshot snapshot = mirrored(backend.at(), {{"mirror", mirror.backend.at()}}, rule);
    snapshot.backends("framed", {framed.at()}, fb::BackendProtocol::Http1, [](fb::BackendSetT& set) { set.proxy_protocol = fb::ProxyProtocol::V1; });
    Edge edge(ring_kind(), snapshot);
    Http2Peer client(edge.client());
    h2::Listener& stream = client.open({"POST", "http", "a", "/"}, {}, false);
    stream.stream->send_own("abc", 1000);
    stream.stream->end({});
    REQUIRE(client.done(stream));
    CHECK(Edge::eventually([&] { return mirror.count() == 1; }));
    const std::string seen = told.get_future().get();
    CHECK(seen.starts_with("PROXY TCP4 127.0.0.1 "));
    CHECK(seen.ends_with("abc"));
}
