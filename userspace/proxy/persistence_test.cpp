// SPDX-License-Identifier: Apache-2.0
// Tokens by themselves, then sessions through real sockets on both rings.
#include "userspace/proxy/persistence.hpp"

#include <set>

#include "schema/packed.hpp"
#include "userspace/proxy/test_http2.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

constexpr std::uint32_t kNow = 1'700'000'000;

std::shared_ptr<const Seals> seals(const std::vector<std::string>& secrets) {
    Seals made;
    for (const std::string& secret : secrets) {
        made.push_back(token_seal(secret));
    }
    return std::make_shared<const Seals>(std::move(made));
}

fb::PersistenceT cookie(std::uint32_t absolute_s = 0, std::uint32_t idle_s = 0) {
    fb::PersistenceT spec;
    spec.name = "shop";
    spec.absolute_timeout_s = absolute_s;
    spec.idle_timeout_s = idle_s;
    return spec;
}

http::Headers sent(std::string_view name, std::string_view value) {
    http::Headers headers;
    headers.add(name, value);
    return headers;
}

// The name and value of a cookie as the client sends it back.
std::string pair_of(std::string_view set_cookie) { return std::string(set_cookie.substr(0, set_cookie.find(';'))); }

Backend::Script saying(const std::string& body) { return always("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body); }

std::string get(const std::string& fields = {}) { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }

RuleSpec sticky(const fb::PersistenceT& spec = cookie()) {
    RuleSpec rule;
    rule.rule.persistence = std::make_unique<fb::PersistenceT>(spec);
    return rule;
}

Snapshot served(const std::vector<Endpoint>& ready, const RuleSpec& rule) {
    Snapshot snapshot = http_snapshot(ready, {rule});
    snapshot.keys["sessions/1"] = std::string(32, 'k');
    snapshot.root.session_keys = {"sessions/1"};
    return snapshot;
}

}  // namespace

TEST_CASE("persistence: a token comes back as it was, from whatever place a cookie may have") {
    const fb::Packed spec(cookie());
    const Persistence mine(*spec, seals({"secret"}), 0);
    const SessionToken token{.began_s = kNow, .used_s = kNow + 5, .pins = {1, ~0ULL, 7}};
    const std::string field = mine.field_value(token, false, kNow);
    CHECK(field.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
    CHECK(mine.field_value(token, true, kNow).ends_with("; Secure"));
    const std::string pair = pair_of(field);
    for (const std::string& text : {pair, "a=b; " + pair, "a=b;" + pair + "; c=\"d\"", "shop=junk; " + pair, "shop=; shop; ;; " + pair + " "}) {
        INFO(text);
        const auto read = mine.read(sent("Cookie", text), kNow);
        REQUIRE(read);
        CHECK(read->pins == token.pins);
        CHECK(read->began_s == token.began_s);
        CHECK(read->used_s == token.used_s);
        CHECK(read->current);
    }
    for (const std::string& text : {"x" + pair, pair + "A", pair.substr(0, pair.size() - 1), "SHOP" + pair.substr(4), std::string("shop="), "shop=a; shop=b; shop=c; shop=d; " + pair}) {
        INFO(text);
        CHECK_FALSE(mine.read(sent("Cookie", text), kNow));
    }
    auto elsewhere = cookie();
    elsewhere.name = "other";
    CHECK_FALSE(Persistence(*fb::Packed(elsewhere), seals({"secret"}), 0).read(sent("Cookie", "other" + pair.substr(4)), kNow));
    CHECK_FALSE(Persistence(*spec, seals({"another"}), 0).read(sent("Cookie", pair), kNow));
}

TEST_CASE("persistence: times by the table") {
    struct Case {
        std::uint32_t absolute_s, idle_s;
        std::uint32_t began_ago, used_ago;
        bool counts, stale;
    };
    const Case cases[] = {
        {0, 0, 1'000'000, 1'000'000, true, false},
        {100, 0, 99, 0, true, false},
        {100, 0, 100, 0, false, false},
        {0, 100, 1000, 0, true, false},
        {0, 100, 1000, 24, true, false},
        {0, 100, 1000, 25, true, true},  // told again, so that its time goes on
        {0, 100, 1000, 124, true, true},
        {0, 100, 1000, 125, false, false},
        {1000, 100, 1000, 0, false, false},
    };
    for (const Case& one : cases) {
        INFO(one.absolute_s << " " << one.idle_s << ", began " << one.began_ago << " s ago, used " << one.used_ago);
        const fb::Packed spec(cookie(one.absolute_s, one.idle_s));
        const Persistence mine(*spec, seals({"secret"}), 0);
        const std::string pair = pair_of(mine.field_value({.began_s = kNow - one.began_ago, .used_s = kNow - one.used_ago, .pins = {1}}, false, kNow));
        const auto read = mine.read(sent("Cookie", pair), kNow);
        REQUIRE(read.has_value() == one.counts);
        if (read) {
            CHECK(mine.is_stale(*read, kNow) == one.stale);
        }
    }
    // From a node whose clock is far ahead of ours.
    const fb::Packed spec(cookie());
    const Persistence mine(*spec, seals({"secret"}), 0);
    CHECK(mine.read(sent("Cookie", pair_of(mine.field_value({.began_s = kNow + 200, .used_s = kNow, .pins = {1}}, false, kNow))), kNow));
    CHECK_FALSE(mine.read(sent("Cookie", pair_of(mine.field_value({.began_s = kNow + 2000, .used_s = kNow, .pins = {1}}, false, kNow))), kNow));
}

TEST_CASE("persistence: a cookie that stays has the rest of its time") {
    auto spec = cookie(1000);
    spec.permanent = true;
    spec.path = "/shop";
    const fb::Packed packed(spec);
    const Persistence mine(*packed, seals({"secret"}), 0);
    const std::string field = mine.field_value({.began_s = kNow - 400, .used_s = kNow, .pins = {1}}, false, kNow);
    CHECK(field.find("; Path=/shop; Max-Age=600; HttpOnly") != std::string::npos);
}

TEST_CASE("persistence: keys change while tokens go on") {
    const fb::Packed spec(cookie());
    const Persistence before(*spec, seals({"old"}), 0);
    const Persistence during(*spec, seals({"new", "old"}), 0);
    const Persistence after(*spec, seals({"new"}), 0);
    const std::string old = pair_of(before.field_value({.began_s = kNow, .used_s = kNow, .pins = {1}}, false, kNow));
    const auto read = during.read(sent("Cookie", old), kNow);
    REQUIRE(read);
    CHECK(during.is_stale(*read, kNow));  // told again, with the new key
    CHECK(after.read(sent("Cookie", pair_of(during.field_value(*read, false, kNow))), kNow));
    CHECK_FALSE(after.read(sent("Cookie", old), kNow));
}

TEST_CASE("persistence: a client keeps the endpoint that it had first, by a cookie, and hears of it once") {
    Backend a(saying("a")), b(saying("b")), c(saying("c"));
    Edge edge(ring_kind(), served({a.at(), b.at(), c.at()}, sticky()));
    std::set<std::string> first;
    for (int client = 0; client < 3; ++client) {
        Peer peer = edge.client();
        const Message begin = peer.ask(get());
        first.insert(begin.body);
        REQUIRE(begin.field("Set-Cookie").starts_with("shop="));
        for (int i = 0; i < 5; ++i) {
            const Message again = peer.ask(get("Cookie: x=y; " + pair_of(begin.field("Set-Cookie")) + "\r\n"));
            CHECK(again.body == begin.body);
            CHECK(again.field("Set-Cookie") == "-");
        }
        // Over HTTP/2, too.
        Http2Peer other(edge.client());
        const std::string pair = pair_of(begin.field("Set-Cookie"));
        http::Headers fields;
        fields.add("cookie", "x=y");
        fields.add("cookie", pair);
        h2::Listener& stream = other.get("/", fields);
        REQUIRE(other.done(stream));
        CHECK(stream.body == begin.body);
        CHECK(field_of(stream, "set-cookie") == "-");
    }
    CHECK(first.size() == 3);
    CHECK(edge.client().ask(get("Cookie: shop=junk\r\n")).field("Set-Cookie").starts_with("shop="));
}

TEST_CASE("persistence: by a header field") {
    Backend a(saying("a")), b(saying("b"));
    auto spec = cookie();
    spec.type = fb::PersistenceType::Header;
    spec.name = "x-session";
    Edge edge(ring_kind(), served({a.at(), b.at()}, sticky(spec)));
    Peer peer = edge.client();
    const Message begin = peer.ask(get());
    CHECK(begin.field("Set-Cookie") == "-");
    REQUIRE(begin.field("x-session").size() > 20);
    for (int i = 0; i < 5; ++i) {
        const Message again = peer.ask(get("X-Session: " + begin.field("x-session") + "\r\n"));
        CHECK(again.body == begin.body);
        CHECK(again.field("x-session") == "-");
    }
}

TEST_CASE("persistence: weights choose as ever, and each backend of the rule has its pin") {
    Backend a(saying("a")), b(saying("b")), c(saying("c")), d(saying("d"));
    RuleSpec rule = sticky();
    rule.backends = {{"web", 3}, {"other", 1}};
    Snapshot snapshot = served({a.at(), b.at()}, rule);
    snapshot.backends("other", {c.at(), d.at()});
    Edge edge(ring_kind(), snapshot);
    Peer peer = edge.client();
    std::string pair;
    std::map<std::string, int> seen;
    for (int i = 0; i < 40; ++i) {
        const Message answer = peer.ask(get(pair.empty() ? "" : "Cookie: " + pair + "\r\n"));
        ++seen[answer.body];
        if (answer.field("Set-Cookie") != "-") {
            pair = pair_of(answer.field("Set-Cookie"));
        }
    }
    CHECK(seen.size() == 2);
    CHECK(seen["a"] + seen["b"] == 30);
    CHECK(seen["c"] + seen["d"] == 10);
}

TEST_CASE("persistence: rules share no session, even of one name and to one Service") {
    Backend a(saying("a")), b(saying("b")), c(saying("c"));
    RuleSpec one = sticky(), two = sticky();
    one.path = "/one";
    two.path = "/two";
    Snapshot snapshot = served({a.at(), b.at(), c.at()}, one);
    snapshot.host("all", {one, two});
    Edge edge(ring_kind(), snapshot);
    Peer peer = edge.client();
    const auto ask = [&](const std::string& path, const std::string& pair) {
        return peer.ask("GET " + path + " HTTP/1.1\r\nHost: a\r\n" + (pair.empty() ? "" : "Cookie: " + pair + "\r\n") + "\r\n");
    };
    const Message first = ask("/one", "");
    const Message second = ask("/two", pair_of(first.field("Set-Cookie")));
    REQUIRE(second.field("Set-Cookie").starts_with("shop="));  // it had none here
    // One cookie, as it has one name and path, and both sessions in it.
    const std::string pair = pair_of(second.field("Set-Cookie"));
    for (int i = 0; i < 4; ++i) {
        for (const auto& [path, begin] : {std::pair("/one", &first), {"/two", &second}}) {
            const Message again = ask(path, pair);
            CHECK(again.body == begin->body);
            CHECK(again.field("Set-Cookie") == "-");
        }
    }
}

TEST_CASE("persistence: an endpoint that is gone, out or failing is chosen anew, and the client told") {
    const ring::Kind kind = ring_kind();
    Backend a(saying("a")), b(saying("b"));
    const Endpoint gone = nobody();
    // On a deployment where only that one was.
    std::string pair;
    {
        Backend lost(saying("lost"));
        Edge edge(kind, served({lost.at()}, sticky()));
        pair = pair_of(edge.client().ask(get()).field("Set-Cookie"));
    }
    Edge edge(kind, served({a.at(), b.at()}, sticky()));
    const Message moved = edge.client().ask(get("Cookie: " + pair + "\r\n"));
    CHECK(moved.status() == 200);
    pair = pair_of(moved.field("Set-Cookie"));
    CHECK(edge.client().ask(get("Cookie: " + pair + "\r\n")).body == moved.body);
    const Backend& mine = moved.body == "a" ? a : b;
    edge.shared().endpoint(mine.at().port).ejected_until = (ring::Clock::now() + 1h).time_since_epoch().count();
    const Message away = edge.client().ask(get("Cookie: " + pair + "\r\n"));
    CHECK(away.body != moved.body);
    const std::string next = pair_of(away.field("Set-Cookie"));
    edge.shared().endpoint(mine.at().port).ejected_until = 0;
    CHECK(edge.client().ask(get("Cookie: " + next + "\r\n")).body == away.body);  // it stays where it went
    // Refused, for the first time.
    const fb::Packed spec(cookie());
    const Persistence outside(*spec, seals({std::string(32, 'k')}), session_scope(*fb::Packed(*host_routes({RuleSpec{}}).rules[0])));
    const auto now = static_cast<std::uint32_t>(::time(nullptr));
    const std::string dead = pair_of(outside.field_value({.began_s = now, .used_s = now, .pins = {outside.pin(endpoint_digest(gone))}}, false, now));
    Edge failing(kind, served({gone, a.at()}, sticky()));
    const Message other = failing.client().ask(get("Cookie: " + dead + "\r\n"));
    CHECK(other.body == "a");
    CHECK(other.field("Set-Cookie").starts_with("shop="));
}

TEST_CASE("persistence: tokens are good wherever the key is") {
    const ring::Kind kind = ring_kind();
    Backend a(saying("a")), b(saying("b"));
    Snapshot snapshot = served({a.at(), b.at()}, sticky());
    std::string pair, body;
    {
        Edge one(kind, snapshot);
        const Message begin = one.client().ask(get());
        pair = pair_of(begin.field("Set-Cookie"));
        body = begin.body;
    }
    Edge two(kind, snapshot);
    for (int i = 0; i < 4; ++i) {
        const Message again = two.client().ask(get("Cookie: " + pair + "\r\n"));
        CHECK(again.body == body);
        CHECK(again.field("Set-Cookie") == "-");
    }
    snapshot.keys["sessions/1"] = std::string(32, 'x');
    Edge stranger(kind, snapshot);
    CHECK(stranger.client().ask(get("Cookie: " + pair + "\r\n")).field("Set-Cookie").starts_with("shop="));
}

TEST_CASE("persistence: an error pins nobody, an upgrade does") {
    Backend sick([](Peer& peer) {
        while (peer.message().whole) {
            peer.send("HTTP/1.1 500 x\r\nContent-Length: 0\r\n\r\n");
        }
    });
    Backend talks([](Peer& peer) {
        peer.message();
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
        peer.rest();
    });
    const ring::Kind kind = ring_kind();
    Edge failing(kind, served({sick.at()}, sticky()));
    CHECK(failing.client().ask(get()).field("Set-Cookie") == "-");
    Edge edge(kind, served({talks.at()}, sticky()));
    Peer peer = edge.client();
    peer.send(get("Connection: upgrade\r\nUpgrade: chat\r\n"));
    CHECK(peer.take_until("\r\n\r\n").find("\r\nSet-Cookie: shop=") != std::string::npos);
}
