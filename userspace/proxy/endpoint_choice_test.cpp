// SPDX-License-Identifier: Apache-2.0
// Who is chosen: first by the chooser alone, then through real sockets on both rings.
#include "userspace/proxy/endpoint_choice.hpp"

#include <set>

#include "userspace/base/maglev.hpp"
#include "userspace/proxy/passive_health.hpp"
#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// A set of `endpoints`, numbered from 1, on a thread's context.
struct Stand {
    explicit Stand(std::uint32_t endpoints, fb::Balance balance = fb::Balance::RoundRobin, std::string header = {}) {
        ring::Options options;
        options.kind = ring::Kind::epoll;
        auto made = ring::Loop::create(options);
        REQUIRE(made.ok());
        loop = std::move(*made);
        context.emplace(*loop, *stats, *shared);
        set.balance = balance;
        std::vector<MaglevMember> members;
        for (std::uint32_t i = 1; i <= endpoints; ++i) {
            set.ready.push_back({{IpAddress::v4(i), 80}, i});
            members.push_back({std::to_string(i)});
        }
        if (balance == fb::Balance::Consistent) {
            set.hash = std::make_unique<const HashChoice>(HashChoice{std::move(header), maglev_table(members)});
        }
    }
    // The number of who is chosen; 0: nobody.
    std::uint32_t choose(const Wish& wish = {}) {
        const BackendEndpoint* chosen = choose_endpoint(*context, set, wish);
        return chosen == nullptr ? 0 : chosen->id;
    }
    std::map<std::uint32_t, int> shares(int times, const Wish& wish = {}) {
        std::map<std::uint32_t, int> result;
        while (times-- > 0) {
            ++result[choose(wish)];
        }
        return result;
    }
    void eject(std::uint32_t number) { shared->endpoint(number).ejected_until = (loop->now() + 1h).time_since_epoch().count(); }
    Claim claim(std::uint32_t number) { return {*context, set, set.ready[number - 1]}; }
    Endpoint address(std::uint32_t number) const { return set.ready[number - 1].address; }

    std::unique_ptr<ring::Loop> loop;
    std::unique_ptr<SlotStats> stats = std::make_unique<SlotStats>();
    std::unique_ptr<SharedPage> shared = std::make_unique<SharedPage>();
    std::optional<Context> context;
    BackendSet set;
};

using Shares = std::map<std::uint32_t, int>;

Wish after(std::vector<Endpoint> failed) {
    Wish wish;
    wish.failed = std::move(failed);
    return wish;
}

std::string answer_of(std::string_view body, int status = 200) {
    return "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

Snapshot served(const std::vector<Endpoint>& ready, const std::function<void(fb::BackendSetT&)>& change, const std::vector<RuleSpec>& rules = {RuleSpec{}}) {
    Snapshot snapshot = http_snapshot({}, rules);
    snapshot.backends("web", ready, fb::BackendProtocol::Http1, change);
    return snapshot;
}

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

}  // namespace

TEST_CASE("choice: in turn, evenly, also where some are passed over") {
    Stand stand(4);
    CHECK(stand.shares(400) == Shares{{1, 100}, {2, 100}, {3, 100}, {4, 100}});
    stand.eject(2);
    CHECK(stand.shares(1200) == Shares{{1, 400}, {3, 400}, {4, 400}});
    CHECK(stand.shares(400, after({stand.address(1)})).size() == 2);
}

TEST_CASE("choice: the well first, then the ejected that were not tried, then anybody") {
    for (const fb::Balance balance : {fb::Balance::RoundRobin, fb::Balance::LeastRequest, fb::Balance::Consistent}) {
        INFO(fb::EnumNameBalance(balance));
        Stand stand(3, balance);
        stand.eject(1);
        stand.eject(2);
        CHECK(stand.shares(20) == Shares{{3, 20}});
        CHECK(stand.shares(20, after({stand.address(3), stand.address(1)})) == Shares{{2, 20}});
        stand.eject(3);
        CHECK_FALSE(stand.shares(100).contains(0));  // fails open
        CHECK_FALSE(stand.shares(100, after({stand.address(1), stand.address(2), stand.address(3)})).contains(0));
        stand.set.ready.clear();
        CHECK(stand.choose() == 0);
    }
}

TEST_CASE("choice: nobody gets more connections than its limit, by thread") {
    for (const fb::Balance balance : {fb::Balance::RoundRobin, fb::Balance::LeastRequest, fb::Balance::Consistent}) {
        INFO(fb::EnumNameBalance(balance));
        Stand stand(2, balance);
        stand.set.connections_max = 2;
        const Claim one = stand.claim(1);
        Claim two = stand.claim(1);
        CHECK(stand.shares(20) == Shares{{2, 20}});
        stand.eject(2);
        CHECK(stand.shares(20) == Shares{{2, 20}});
        const Claim three = stand.claim(2);
        const Claim four = stand.claim(2);
        CHECK(stand.choose() == 0);
        Claim moved = std::move(two);
        CHECK(stand.choose() == 0);
        moved = Claim();
        CHECK(stand.choose() == 1);
    }
}

TEST_CASE("choice: of two, the one with fewer in flight over all threads") {
    Stand two(2, fb::Balance::LeastRequest);
    {
        const Claim busy = two.claim(1);
        CHECK(two.shares(50) == Shares{{2, 50}});
    }
    CHECK(two.shares(200).size() == 2);
    Stand many(10, fb::Balance::LeastRequest);
    std::vector<Claim> claims;
    for (int i = 0; i < 1000; ++i) {
        claims.push_back(many.claim(many.choose()));
    }
    for (std::uint32_t number = 1; number <= 10; ++number) {
        CHECK(many.shared->endpoint(number).in_flight > 90);
        CHECK(many.shared->endpoint(number).in_flight < 110);
    }
    claims.clear();
    CHECK(many.shared->endpoint(1).in_flight == 0);
}

TEST_CASE("choice: what is hashed stays together; who goes moves its own and nobody else's") {
    Stand stand(5, fb::Balance::Consistent, "x-user");
    std::map<std::string, std::uint32_t> before;
    const auto chosen = [&](const std::string& user) {
        http::Headers headers;
        headers.add("X-User", user);
        return stand.choose(wish_of(stand.set, "10.0.0.1", &headers));
    };
    for (int i = 0; i < 500; ++i) {
        const std::string user = "user " + std::to_string(i);
        before[user] = chosen(user);
        CHECK(chosen(user) == before[user]);
    }
    stand.eject(3);
    std::set<std::uint32_t> heirs;
    for (const auto& [user, number] : before) {
        if (number == 3) {
            heirs.insert(chosen(user));
        } else {
            CHECK(chosen(user) == number);
        }
    }
    CHECK(heirs == std::set<std::uint32_t>{1, 2, 4, 5});
    // Without the header the client counts.
    const http::Headers none;
    CHECK(wish_of(stand.set, "10.0.0.1", &none).slot == wish_of(stand.set, "10.0.0.1").slot);
    CHECK(wish_of(stand.set, "10.0.0.2").slot != wish_of(stand.set, "10.0.0.1").slot);
}

TEST_CASE("choice: an endpoint that answers 503 is left out, comes back, and is left out longer") {
    std::atomic<int> asked = 0;
    Backend sick([&](Peer& peer) {
        while (peer.message().whole) {
            ++asked;
            peer.send(answer_of("sick", 503));
        }
    });
    Backend fine(always(answer_of("fine")));
    Edge edge(ring_kind(), served({sick.at(), fine.at()}, [](fb::BackendSetT& set) {
                  set.health = std::make_unique<fb::PassiveHealthT>();
                  set.health->failures = 3;
                  set.health->eject_ms = 100'000;
              }));
    Peer client = edge.client();
    const auto state = [&] { return is_ejected(edge.shared().endpoint(sick.at().port), ring::Clock::now()); };
    for (int i = 0; i < 6; ++i) {
        client.ask(kGet);
    }
    CHECK(asked == 3);
    CHECK(state());
    for (int i = 0; i < 10; ++i) {
        CHECK(client.ask(kGet).body == "fine");
    }
    edge.shared().endpoint(sick.at().port).ejected_until = 1;  // as if the time were up
    CHECK_FALSE(state());
    client.ask(kGet);
    client.ask(kGet);
    CHECK(asked == 4);
    CHECK(state());
    CHECK(edge.shared().endpoint(sick.at().port).ejections == 2);
}

TEST_CASE("choice: refused connections and broken answers count, a client that goes away does not") {
    const ring::Kind kind = ring_kind();
    const auto failures = [](Edge& edge, const Endpoint& of) { return edge.shared().endpoint(of.port).failures.load(); };
    SECTION("refused") {
        const Endpoint gone = nobody();
        Backend fine(always(answer_of("fine")));
        Edge edge(kind, served({gone, fine.at()}, {}));
        for (int i = 0; i < 20; ++i) {
            CHECK(edge.client().ask(kGet).body == "fine");
        }
        CHECK(failures(edge, gone) == 5);
        CHECK(is_ejected(edge.shared().endpoint(gone.port), ring::Clock::now()));
        CHECK(failures(edge, fine.at()) == 0);
    }
    SECTION("reset before an answer") {
        Backend rude([](Peer& peer) {
            peer.message();
            peer.reset();
        });
        Edge edge(kind, served({rude.at()}, {}));
        CHECK(edge.client().ask(kGet).status() == 502);
        CHECK(failures(edge, rude.at()) == 1);
    }
    SECTION("the client's fault") {
        std::atomic<int> asked = 0;
        Backend patient([&](Peer& peer) {
            ++asked;
            peer.rest();
        });
        Edge edge(kind, served({patient.at()}, {}));
        Peer client = edge.client();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
        CHECK(Edge::eventually([&] { return asked == 1; }));
        client.reset();
        CHECK(edge.counted(Reason::client_closed));
        CHECK(failures(edge, patient.at()) == 0);
    }
    SECTION("the client's time") {
        Backend patient([](Peer& peer) { peer.rest(); });
        RuleSpec rule;
        rule.rule.request_ms = 100;
        Edge edge(kind, served({patient.at()}, {}, {rule}));
        CHECK(edge.client().ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc").status() == 504);
        CHECK(failures(edge, patient.at()) == 0);
        CHECK(edge.client().ask(kGet).status() == 504);
        CHECK(failures(edge, patient.at()) == 1);
    }
    SECTION("the request's fault") {
        std::atomic<int> status = 503;
        Backend buggy([&](Peer& peer) {
            while (peer.message().whole) {
                peer.send(answer_of("x", status));
            }
        });
        Edge edge(kind, served({buggy.at()}, {}));
        Peer client = edge.client();
        for (const auto& [answer, expected] : {std::pair(503, 1U), {500, 1U}, {501, 1U}, {502, 2U}, {504, 3U}, {404, 0U}}) {
            status = answer;
            CHECK(client.ask(kGet).status() == answer);
            CHECK(failures(edge, buggy.at()) == expected);
        }
    }
}

TEST_CASE("choice: a retry takes another endpoint than the one that failed") {
    Backend sick(always(answer_of("sick", 503)));
    Backend fine(always(answer_of("fine")));
    RuleSpec rule;
    rule.rule.retry = std::make_unique<fb::RetryT>();
    rule.rule.retry->codes = {503};
    Edge edge(ring_kind(), served({sick.at(), fine.at()},
                                  [](fb::BackendSetT& set) {
                                      set.health = std::make_unique<fb::PassiveHealthT>();
                                      set.health->failures = 0;
                                      set.balance = fb::Balance::LeastRequest;
                                  },
                                  {rule}));
    Peer client = edge.client();
    for (int i = 0; i < 9; ++i) {  // within the budget
        CHECK(client.ask(kGet).body == "fine");
    }
}

TEST_CASE("choice: beyond its limit of connections another endpoint is asked, and a free one again") {
    std::promise<void> answer;
    Backend slow([&](Peer& peer) {
        if (peer.message().whole) {
            answer.get_future().wait();
            peer.send(answer_of("slow"));
            peer.rest();
        }
    });
    Backend fine(always(answer_of("fine")));
    Edge edge(ring_kind(), served({slow.at(), fine.at()}, [](fb::BackendSetT& set) { set.connections_max = 1; }));
    Peer waiting = edge.client();
    Peer client = edge.client();
    waiting.send(kGet);
    CHECK(Edge::eventually([&] { return slow.connections() == 1; }));
    for (int i = 0; i < 6; ++i) {
        CHECK(client.ask(kGet).body == "fine");
    }
    answer.set_value();
    CHECK(waiting.message().body == "slow");
}

TEST_CASE("choice: a request whose kept connection was closed under it has its endpoint's place once") {
    Backend fickle([](Peer& peer) {
        if (peer.message().whole) {
            peer.send(answer_of("fickle"));
            peer.message();  // and closes instead of an answer
        }
    });
    Edge edge(ring_kind(), served({fickle.at()}, [](fb::BackendSetT& set) { set.connections_max = 1; }));
    Peer client = edge.client();
    for (int i = 0; i < 3; ++i) {
        CHECK(client.ask(kGet).body == "fickle");
    }
}

TEST_CASE("choice: consistent by a header, through real sockets") {
    Backend a(always(answer_of("a"))), b(always(answer_of("b"))), c(always(answer_of("c")));
    Edge edge(ring_kind(), served({a.at(), b.at(), c.at()}, [](fb::BackendSetT& set) {
                  set.balance = fb::Balance::Consistent;
                  set.hash_header = "x-user";
              }));
    std::set<std::string> seen;
    for (int user = 0; user < 30; ++user) {
        std::set<std::string> mine;
        for (int i = 0; i < 3; ++i) {
            mine.insert(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\nX-User: " + std::to_string(user) + "\r\n\r\n").body);
        }
        CHECK(mine.size() == 1);
        seen.insert(*mine.begin());
    }
    CHECK(seen.size() == 3);
}
