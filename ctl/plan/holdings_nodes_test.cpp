// SPDX-License-Identifier: Apache-2.0
// Which nodes live, as far as statuses and what nodes leave behind are concerned.
#include "ctl/plan/holdings.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using std::chrono::milliseconds;

namespace {

using Names = std::set<std::string>;

// Node a, whose Lease and those of others are renewed each second.
struct Heard {
    Holdings a{"a"};
    Holdings::Time now{std::chrono::hours(1)};

    void beat(const Names& names, milliseconds after = Holdings::kRenew) {
        now += after;
        for (const std::string& name : names) {
            a.saw_node(name, NodeSeen{.networks = {}, .shares = name != "ecmp"}, now);
        }
    }
    void beats(const Names& names, int count) {
        for (int i = 0; i < count; ++i) {
            beat(names);
        }
    }
};

}  // namespace

TEST_CASE("holdings: nodes that renew their Leases are heard, also those that share no addresses") {
    Heard heard;
    heard.beats({"a", "b", "ecmp"}, 10);
    CHECK(heard.a.others_renewing({}, heard.now) == Names{"b", "ecmp"});
    CHECK(heard.a.others_alive(heard.now) == std::vector<std::string>{"b"});
    heard.beats({"a", "ecmp"}, 3);
    CHECK(heard.a.others_renewing({"b", "ecmp"}, heard.now) == Names{"ecmp"});
    heard.a.saw_node("ecmp", NodeSeen{.networks = {}, .shares = false, .leaving = true}, heard.now);
    CHECK(heard.a.others_renewing({"ecmp"}, heard.now).empty());
}

TEST_CASE("holdings: a Lease that was only found, and never changed, is a living node's for a moment only") {
    Heard heard;
    heard.beat({"a", "long-gone"});
    CHECK(heard.a.others_renewing({}, heard.now) == Names{"long-gone"});
    heard.beats({"a"}, 3);
    CHECK(heard.a.others_renewing({}, heard.now).empty());
}

TEST_CASE("holdings: while the API server is away, and until the others had time, who lived before still does") {
    Heard heard;
    heard.beats({"a", "b"}, 10);
    heard.now += milliseconds(60'000);
    CHECK(heard.a.others_renewing({"b"}, heard.now) == Names{"b"});
    CHECK(heard.a.others_renewing({}, heard.now).empty());
    heard.beats({"a"}, 4);  // it is back, b not yet
    CHECK(heard.a.others_renewing({"b"}, heard.now) == Names{"b"});
    heard.beats({"a"}, 4);
    CHECK(heard.a.others_renewing({"b"}, heard.now).empty());
    heard.a.lost_node("b");
    CHECK(heard.a.others_renewing({"b"}, heard.now).empty());
}

TEST_CASE("holdings: a node that was heard again after contact came back is judged before all others are") {
    struct Row {
        const char* what;
        milliseconds heard;  // b, after our own contact came back
        bool judged;
    };
    for (const Row& row : {Row{"renewed since", milliseconds(500), true}, Row{"told with what had been missed", milliseconds(0), false}, Row{"the same, in pieces", milliseconds(200), false}}) {
        INFO(row.what);
        Heard heard;
        heard.beats({"a", "b"}, 10);
        heard.beat({"a"}, milliseconds(60'000));
        heard.beat({"b"}, row.heard);
        heard.beat({"a"}, milliseconds(1'000) - row.heard);
        heard.beats({"a"}, 2);
        CHECK(heard.a.alive("b", heard.now) != row.judged);
        heard.beats({"a"}, 3);
        CHECK_FALSE(heard.a.alive("b", heard.now));
    }
}

TEST_CASE("holdings: who was silent for long is told only while anybody can be heard") {
    Heard heard;
    heard.beat({"a", "b", "gone"});
    heard.beats({"a", "b"}, 60);
    CHECK(heard.a.others_silent(milliseconds(60'000), heard.now) == std::vector<std::string>{"gone"});
    CHECK(heard.a.others_silent(milliseconds(61'000), heard.now).empty());
    CHECK(heard.a.others_silent(milliseconds(60'000), heard.now + milliseconds(60'000)).empty());
    heard.beat({"a"}, milliseconds(60'000));  // after a silence of the API server's everybody is heard anew first
    CHECK(heard.a.others_silent(milliseconds(60'000), heard.now).empty());
}
