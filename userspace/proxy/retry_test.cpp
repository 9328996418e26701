// SPDX-License-Identifier: Apache-2.0
// Retries by a rule's policy (GEP-1731) through real sockets; every case runs on both rings.
#include "userspace/proxy/retry_budget.hpp"

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// Answers with these statuses in turn, then with 200 and the request's body.
class Moody {
public:
    explicit Moody(std::vector<int> statuses, std::chrono::milliseconds delay = 0ms)
        : statuses_(std::move(statuses)), delay_(delay), backend_([this](Peer& peer) { serve(peer); }) {}
    [[nodiscard]] const Endpoint& at() const { return backend_.at(); }
    [[nodiscard]] int asked() const { return asked_; }

private:
    void serve(Peer& peer) {
        for (;;) {
            const Message request = peer.message();
            if (!request.whole) {
                return;
            }
            const auto number = static_cast<std::size_t>(asked_++);
            std::this_thread::sleep_for(delay_);
            const int status = number < statuses_.size() ? statuses_[number] : 200;
            peer.send("HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body);
        }
    }
    std::vector<int> statuses_;
    std::chrono::milliseconds delay_;
    std::atomic<int> asked_ = 0;
    Backend backend_;
};

RuleSpec retrying(std::vector<std::uint16_t> codes, std::uint32_t attempts, std::uint32_t backoff_ms = 0) {
    RuleSpec spec;
    spec.rule.retry = std::make_unique<fb::RetryT>();
    spec.rule.retry->codes = std::move(codes);
    spec.rule.retry->attempts = attempts;
    spec.rule.retry->backoff_ms = backoff_ms;
    return spec;
}

}  // namespace

TEST_CASE("retry: the policy's codes are tried again, as often as it says, with the same body") {
    struct Case {
        std::vector<int> statuses;
        std::vector<std::uint16_t> codes;
        std::uint32_t attempts;
        int status, asked;
    };
    const Case cases[] = {
        {{500}, {500, 503}, 1, 200, 2},          {{503, 500}, {500, 503}, 2, 200, 3}, {{503, 503, 503}, {503}, 2, 503, 3},
        {{502}, {500, 503}, 3, 502, 1},          {{500}, {500}, 0, 500, 1},           {{504}, {504}, 1, 200, 2},
        {{404}, {500}, 1, 404, 1},
    };
    const ring::Kind kind = ring_kind();
    for (const Case& one : cases) {
        Moody backend(one.statuses);
        Edge edge(kind, http_snapshot({backend.at()}, {retrying(one.codes, one.attempts)}));
        Peer client = edge.client();
        const Message answer = client.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
        INFO(one.statuses.front() << " " << one.attempts);
        CHECK(answer.status() == one.status);
        CHECK(answer.body == "hello");
        CHECK(backend.asked() == one.asked);
        CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
}

TEST_CASE("retry: a body that is longer than what is kept is sent once") {
    Moody backend({503});
    Snapshot snapshot = http_snapshot({backend.at()}, {retrying({503}, 1)});
    snapshot.root.limits->retry_body_bytes_max = 1000;
    Edge edge(ring_kind(), snapshot);
    CHECK(edge.client().ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n" + pattern(1001)).status() == 503);
    CHECK(backend.asked() == 1);
}

TEST_CASE("retry: a body in pieces is sent again whole") {
    Moody backend({503});
    Edge edge(ring_kind(), http_snapshot({backend.at()}, {retrying({503}, 1)}));
    Peer client = edge.client();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const char* piece : {"3\r\nabc\r\n", "2\r\nde\r\n", "0\r\n\r\n"}) {
        std::this_thread::sleep_for(20ms);
        client.send(piece);
    }
    const Message answer = client.message();
    CHECK(answer.status() == 200);
    CHECK(answer.body == "abcde");
    CHECK(backend.asked() == 2);
}

TEST_CASE("retry: an endpoint that refuses is passed over, with no code asked for") {
    Moody backend({});
    Edge edge(ring_kind(), http_snapshot({nobody(), nobody(), nobody(), nobody(), backend.at()}, {retrying({}, 100)}));
    for (int i = 0; i < 10; ++i) {
        CHECK(edge.client().ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok").status() == 200);
    }
}

TEST_CASE("retry: the request's time bounds all attempts, the backend's each") {
    const ring::Kind kind = ring_kind();
    SECTION("the request's") {
        Moody backend({503, 503, 503, 503, 503}, 60ms);
        RuleSpec rule = retrying({503}, 100);
        rule.rule.request_ms = 150;
        Edge edge(kind, http_snapshot({backend.at()}, {rule}));
        CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 504);
        CHECK(backend.asked() <= 4);
    }
    SECTION("one quick retry is inside of both") {
        Moody backend({503}, 5ms);
        RuleSpec rule = retrying({503}, 1);
        rule.rule.request_ms = 15'000;
        rule.rule.backend_request_ms = 10'000;
        Edge edge(kind, http_snapshot({backend.at()}, {rule}));
        CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
    }
    SECTION("the backend's, which counts as 504") {
        std::atomic<int> asked = 0;
        Backend backend([&](Peer& peer) {
            peer.message();
            if (asked++ > 0) {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            }
            peer.rest();
        });
        RuleSpec rule = retrying({504}, 1);
        rule.rule.backend_request_ms = 100;
        Edge edge(kind, http_snapshot({backend.at()}, {rule}));
        CHECK(edge.client().ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == "ok");
        CHECK(asked == 2);
    }
}

TEST_CASE("retry: the budget ends retries when everything fails") {
    Moody backend(std::vector<int>(1000, 503));
    Snapshot snapshot = http_snapshot({backend.at()}, {retrying({503}, 10)});
    snapshot.root.limits->retry_budget_min = 3;
    snapshot.root.limits->retry_budget_percent = 0;
    Edge edge(ring_kind(), snapshot);
    Peer client = edge.client();
    CHECK(client.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").status() == 503);
    CHECK(backend.asked() == 4);
}

TEST_CASE("retry: a budget is a share of the requests, and some a second") {
    RetryBudget budget;
    const ring::Time now = ring::Time() + 1h;
    CHECK_FALSE(budget.spend(0, now));
    for (int i = 0; i < 10; ++i) {
        budget.earn(20);
    }
    CHECK(budget.spend(0, now));
    CHECK(budget.spend(0, now));
    CHECK_FALSE(budget.spend(0, now));
    CHECK(budget.spend(1, now + 1s));
    CHECK_FALSE(budget.spend(1, now + 1500ms));
    CHECK(budget.spend(1, now + 2s));
}
