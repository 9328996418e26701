// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/election.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;
using nlohmann::json;

namespace {

// A Lease on a server that takes a write only if it was made from the newest version.
struct LeaseServer {
    json lease;
    int version = 0;

    Answer ask(const Request& request) {
        if (request.method == "GET") {
            return lease.is_null() ? Answer{.status = 404} : Answer{.status = 200, .body = lease.dump()};
        }
        json next = json::parse(request.body);
        if (request.method == "POST" ? !lease.is_null() : lease.is_null() || next["metadata"].value("resourceVersion", "") != lease["metadata"]["resourceVersion"]) {
            return {.status = 409};
        }
        next["metadata"]["resourceVersion"] = std::to_string(++version);
        lease = next;
        return {.status = request.method == "POST" ? 201 : 200, .body = lease.dump()};
    }
};

struct Candidate {
    Election election;
    Time due{};
    bool cut_off = false;

    explicit Candidate(const std::string& name) : election("edge", "penstock-status", name) {}
    void step(LeaseServer& server, Time now) {
        while (due <= now) {
            const Request request = election.next(now, 1'700'000'000'000'006);
            if (cut_off) {
                election.answered(Error{.code = Errc::timeout, .what = "away"}, now);
            } else {
                election.answered(server.ask(request), now);
            }
            due = now + election.pause();
            if (election.pause().count() > 0) {
                break;
            }
        }
    }
};

}  // namespace

TEST_CASE("election: there is never more than one leader, and soon one when the old one is gone") {
    LeaseServer server;
    Candidate a("a");
    Candidate b("b");
    Time now{std::chrono::hours(1)};
    int without = 0;
    for (int ms = 0; ms < 120'000; ms += 100) {
        now += milliseconds(100);
        a.cut_off = ms >= 30'000 && ms < 70'000;
        b.cut_off = ms >= 90'000;
        a.step(server, now);
        b.step(server, now);
        CHECK_FALSE((a.election.leads(now) && b.election.leads(now)));
        without += a.election.leads(now) || b.election.leads(now) ? 0 : 1;
        if (ms == 29'000) {
            CHECK(a.election.leads(now));
            CHECK(b.election.holder() == "a");
        }
        if (ms == 60'000 || ms == 89'000) {
            CHECK(b.election.leads(now));  // and a that comes back does not take it
        }
    }
    CHECK(a.election.leads(now));
    CHECK(without <= 2 * 90);  // 100 ms each: twice from the old one's deadline to the new one's first write
    CHECK(server.lease["spec"]["leaseTransitions"] == 3);
}

TEST_CASE("election: waits grow while nothing is of use, up to their bound, and begin anew after a success") {
    constexpr Election::Terms kTerms{.pause = milliseconds(1'000), .again = milliseconds(100), .again_max = milliseconds(1'000)};
    const auto pauses_of = [&](Election& election, const Result<Answer>& answer, int times) {
        std::vector<milliseconds> pauses;
        for (int i = 0; i < times; ++i) {
            (void)election.next(Time{}, 0);
            election.answered(answer, Time{});
            pauses.push_back(election.pause());
        }
        return pauses;
    };
    for (const Result<Answer>& bad : {Result<Answer>(Error{.code = Errc::timeout, .what = "away"}), Result<Answer>(Answer{.status = 500}), Result<Answer>(Answer{.status = 403})}) {
        Election election("edge", "penstock-node-a", "a", kTerms);
        const auto pauses = pauses_of(election, bad, 12);
        CHECK(pauses.front() <= milliseconds(100));
        CHECK(std::accumulate(pauses.begin(), pauses.end(), milliseconds(0)) >= milliseconds(4'000));  // not twelve times in a second
        CHECK(*std::max_element(pauses.begin(), pauses.end()) <= milliseconds(1'000));
        LeaseServer server;
        for (int i = 0; i < 3; ++i) {
            election.answered(server.ask(election.next(Time{}, 0)), Time{});
        }
        REQUIRE(election.leads(Time{}));
        // While others take us for alive: no slower for the tenth failure than for the first.
        CHECK(pauses_of(election, bad, 10) == std::vector<milliseconds>(10, milliseconds(100)));
    }
    // One may look, and not write: a look is no success.
    Election election("edge", "penstock-node-a", "a", kTerms);
    milliseconds pauses(0);
    for (int i = 0; i < 12; ++i) {
        pauses += pauses_of(election, Answer{.status = 404}, 1).front() + pauses_of(election, Answer{.status = 403}, 1).front();
    }
    CHECK(pauses >= milliseconds(4'000));
}

TEST_CASE("election: a leader that steps down is followed at the next look") {
    LeaseServer server;
    Candidate a("a");
    Candidate b("b");
    Time now{std::chrono::hours(1)};
    a.step(server, now);
    REQUIRE(a.election.leads(now));
    b.step(server, now);
    CHECK_FALSE(b.election.release(0).has_value());
    const auto release = a.election.release(0);
    REQUIRE(release.has_value());
    CHECK(server.ask(*release).status == 200);
    CHECK_FALSE(a.election.leads(now));
    now += Election::kPause;
    b.step(server, now);
    CHECK(b.election.leads(now));
}

TEST_CASE("election: a leader whose last renewal was taken unheard steps down after a look") {
    LeaseServer server;
    Candidate a("a");
    const Time now{std::chrono::hours(1)};
    a.step(server, now);
    REQUIRE(a.election.leads(now));
    REQUIRE(server.ask(a.election.next(now, 0)).status == 200);
    a.election.answered(Error{.code = Errc::timeout, .what = "away"}, now);
    REQUIRE(server.ask(*a.election.release(0)).status == 409);
    CHECK_FALSE(a.election.leads(now));
    a.election.answered(server.ask(a.election.next(now, 0)), now);
    CHECK_FALSE(a.election.leads(now));
    const auto release = a.election.release(0);
    REQUIRE(release.has_value());
    CHECK(server.ask(*release).status == 200);
    // What was done already is not done again.
    a.election.answered(server.ask(a.election.next(now, 0)), now);
    CHECK_FALSE(a.election.release(0).has_value());
}

TEST_CASE("election: times in a Lease do not count, and junk in it is no reason to end") {
    LeaseServer server;
    server.lease = {{"metadata", {{"resourceVersion", "7"}}}, {"spec", {{"holderIdentity", "gone"}, {"renewTime", "1999-01-01T00:00:00.000000Z"}, {"leaseTransitions", "x"}}}};
    Candidate a("a");
    Time now{std::chrono::hours(1)};
    a.step(server, now);
    CHECK_FALSE(a.election.leads(now));  // the old time may be a wrong clock's
    for (int i = 0; i < 9; ++i) {
        now += Election::kPause;
        a.step(server, now);
    }
    CHECK(a.election.leads(now));
    Election other("edge", "x", "b");
    for (const char* body : {"", "[]", R"({"metadata":1,"spec":2})"}) {
        (void)other.next(now, 0);
        other.answered(Answer{.status = 200, .body = body}, now);
    }
}

TEST_CASE("election: a Lease is held from when it was asked for, not from when the answer was read") {
    LeaseServer server;
    Election election("edge", "x", "a");
    const Time asked{std::chrono::hours(1)};
    for (int i = 0; i < 2; ++i) {  // look, create
        const Request request = election.next(asked, 0);
        election.answered(server.ask(request), asked + std::chrono::seconds(4));
    }
    CHECK(election.leads(asked + std::chrono::seconds(9)));
    CHECK_FALSE(election.leads(asked + std::chrono::seconds(10)));
}

TEST_CASE("election: a Lease whose transitions are at their end can be taken") {
    for (const std::int64_t written : {std::int64_t{2147483647}, std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min()}) {
        LeaseServer server;
        server.lease = {{"metadata", {{"resourceVersion", "7"}}}, {"spec", {{"holderIdentity", ""}, {"leaseTransitions", written}}}};
        Candidate a("a");
        a.step(server, Time{std::chrono::hours(1)});
        const auto after = server.lease["spec"]["leaseTransitions"].get<std::int64_t>();
        CHECK(after == (written > 0 ? 2147483647 : 1));
    }
}

TEST_CASE("election: two machines of one name are two, and a machine's next daemon is the one before") {
    CHECK(identity_of("node-a") == identity_of("node-a"));
    CHECK(identity_of("node-a").starts_with("node-a_"));
    CHECK(identity_of("node-a").find_first_of(" \n") == std::string::npos);
    CHECK(node_of_identity(identity_of("node-a.example")) == "node-a.example");
    CHECK(node_of_identity("somebody") == "somebody");
}
