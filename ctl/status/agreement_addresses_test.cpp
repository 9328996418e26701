// SPDX-License-Identifier: Apache-2.0
// Programmed where nodes share addresses out (ADR 0019).
#include "ctl/status/book.hpp"
#include "ctl/status/test_agreement.hpp"

using namespace penstock;
using namespace penstock::status;
using namespace penstock::status::testing;
using nlohmann::json;
using std::chrono::milliseconds;

TEST_CASE("agreement: before it is known who lives, an address may be anywhere") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.took(sharing(2, Here{}));
    const json wanted = gateway(2);
    const Agreement::Time start{};
    CHECK(said(agreement.say(kEdge, wanted, wanted, start, 100), wanted) == "as it is");
    CHECK(said(agreement.say(kEdge, wanted, wanted, start + Agreement::kMove, 103), wanted) == "as it is");
    CHECK(agreement.live({}) == Agreement::Objects{kEdge});  // nobody else: now it is known
    CHECK(agreement.live({}).empty());
    CHECK(said(agreement.say(kEdge, wanted, wanted, start + Agreement::kMove, 103), wanted) == "as it is");
    CHECK(said(agreement.say(kEdge, wanted, wanted, start + 2 * Agreement::kMove, 106), wanted) == "False AddressNotAssigned: no node says that it has 192.0.2.7");
}

TEST_CASE("agreement: a Gateway is programmed where its address is") {
    struct Row {
        const char* name;
        NodeReport mine;
        std::set<std::string> live;
        std::map<std::string, NodeReport> reports;
        json server;
        const char* at_once;
        const char* moved;  // kMove is over
        const char* after;  // kPatience is
    };
    const json was = gateway(1), is = gateway(2);
    const char* const nowhere = "False AddressNotAssigned: no node says that it has 192.0.2.7";
    const std::vector<Row> rows = {
        {"alone, and it has it", sharing(2, Here{kAddress}), {}, {}, {}, "as it is", "as it is", "as it is"},
        {"alone, and it has it not: a new Gateway", sharing(2, Here{}), {}, {}, {}, kWaiting, nowhere, nowhere},
        {"alone, and it has it not: the Gateway was edited", sharing(2, Here{}), {}, {}, was, "stays", nowhere, nowhere},
        {"alone, and does not know yet", sharing(2, std::nullopt), {}, {}, {}, "as it is", "as it is", "as it is"},
        {"the other has it", sharing(2, Here{}), {"b"}, {{"b", theirs(2, Here{kAddress})}}, {}, "as it is", "as it is", "as it is"},
        {"the other has it, and is behind", sharing(2, Here{}), {"b"}, {{"b", theirs(1, Here{kAddress})}}, was, "stays", "stays", "False Pending: waiting for b, which has 192.0.2.7"},
        {"the other is behind, and has it not", sharing(2, Here{kAddress}), {"b"}, {{"b", theirs(1, Here{})}}, was, "stays", "stays", "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"it came to a node that is behind after it was told", sharing(2, Here{}), {"b"}, {{"b", theirs(1, Here{kAddress})}}, is, "as it is", "as it is", "False Pending: waiting for b, which has 192.0.2.7"},
        {"two say that they have it, and one serves", sharing(2, Here{}), {"b", "c"}, {{"b", theirs(1, Here{kAddress})}, {"c", theirs(2, Here{kAddress})}}, is, "as it is", "as it is", "True Programmed: programmed on 2 of 3 nodes; waiting for b"},
        {"no node has it, for a moment or for longer", sharing(2, Here{}), {"b"}, {{"b", theirs(2, Here{})}}, is, "as it is", nowhere, nowhere},
        {"no node has it, as its holder is gone", sharing(2, Here{}), {"b"}, {{"b", theirs(2, Here{})}, {"c", theirs(2, Here{kAddress})}}, is, "as it is", nowhere, nowhere},
        {"no node has it, and none had", sharing(2, Here{}), {"b"}, {{"b", theirs(2, Here{})}}, gateway(2, "False"), kWaiting, nowhere, nowhere},
        {"no node has it, as another writer told", sharing(2, Here{}), {"b"}, {{"b", theirs(2, Here{})}}, unassigned(), nowhere, nowhere, nowhere},
        {"who has told nothing may have it", sharing(2, Here{}), {"b"}, {}, {}, kWaiting, kWaiting, "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"an older version does not tell", sharing(2, Here{}), {"b"}, {{"b", theirs(2, std::nullopt)}}, {}, "as it is", "as it is", "as it is"},
        {"it is the other's own", sharing(2, Here{}), {"b"}, {{"b", [] {
             NodeReport report = theirs(2, Here{});
             report.own = {kAddress};
             return report;
         }()}}, {}, "as it is", "as it is", "as it is"},
    };
    for (const Row& row : rows) {
        DYNAMIC_SECTION(row.name) {
            Agreement agreement("a");
            tell(agreement, row.mine, row.live, row.reports);
            const json wanted = gateway(2);
            const Agreement::Time start{};
            CHECK(said(agreement.say(kEdge, wanted, row.server, start, 100), wanted) == row.at_once);
            CHECK(said(agreement.say(kEdge, wanted, row.server, start + Agreement::kMove - milliseconds(1), 102), wanted) == row.at_once);
            agreement.due(start + Agreement::kMove);
            CHECK(said(agreement.say(kEdge, wanted, row.server, start + Agreement::kMove, 103), wanted) == row.moved);
            agreement.due(start + Agreement::kPatience);
            const auto last = agreement.say(kEdge, wanted, row.server, start + Agreement::kPatience, 105);
            CHECK(said(last, wanted) == row.after);
            CHECK_FALSE(agreement.again().has_value());
            if (row.after == nowhere) {
                CHECK(text_of((*last)["listeners"][0]["conditions"]).starts_with("False Pending"));
                CHECK(agreement.stand(kEdge).nowhere == std::vector{kAddress});
            }
            CHECK(agreement.open().contains(kEdge) == (std::string(row.after) != "as it is"));
        }
    }
}

TEST_CASE("agreement: a takeover takes nothing back, and one that comes late is told") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.took(sharing(2, Here{}));
    agreement.live({"b", "c"});
    agreement.heard("b", theirs(2, Here{kAddress}));
    agreement.heard("c", theirs(2, Here{}));
    const json wanted = gateway(2);
    Agreement::Time now{};
    CHECK(agreement.say(kEdge, wanted, wanted, now, 100) == wanted);
    CHECK(agreement.live({"c"}) == Agreement::Objects{kEdge});  // b died
    CHECK(agreement.say(kEdge, wanted, wanted, now, 100) == wanted);
    CHECK(agreement.again() == now + Agreement::kMove);
    now += milliseconds(800);
    CHECK(agreement.heard("c", theirs(2, Here{kAddress})) == Agreement::Objects{kEdge});
    CHECK(agreement.say(kEdge, wanted, wanted, now, 100) == wanted);
    CHECK_FALSE(agreement.again().has_value());
    // The next one does not come about.
    agreement.heard("c", theirs(2, Here{}));
    CHECK(agreement.say(kEdge, wanted, wanted, now, 100) == wanted);
    now += Agreement::kMove;
    CHECK(agreement.due(now) == Agreement::Objects{kEdge});
    const json lost = *agreement.say(kEdge, wanted, wanted, now, 103);
    CHECK(text_of(lost["conditions"]) == "False AddressNotAssigned: no node says that it has 192.0.2.7");
    CHECK(agreement.say(kEdge, wanted, lost, now, 104) == lost);
    CHECK(agreement.took(sharing(2, Here{kAddress})) == Agreement::Objects{kEdge});
    CHECK(agreement.say(kEdge, wanted, lost, now, 104) == wanted);
}

TEST_CASE("agreement: a ListenerSet waits for its Gateway's address, in words that it has") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.live({});
    constexpr const char* kSet = "ListenerSet/shop/more";
    NodeReport mine = make_report({{kSet, {.uid = "v", .generation = 2, .refusals = {}, .shared = {kAddress}}}});
    mine.here = Here{};
    agreement.took(std::move(mine));
    const json wanted = gateway(2);
    agreement.say(kSet, wanted, {}, {}, 100);
    const auto last = agreement.say(kSet, wanted, {}, Agreement::Time{} + Agreement::kMove, 103);
    CHECK(said(last, wanted) == "False Pending: no node says that it has 192.0.2.7");
}

TEST_CASE("agreement: routes are counted while no node has the address, as another writer told") {
    Agreement agreement("a");
    tell(agreement, sharing(2, Here{}), {"b"}, {{"b", theirs(2, Here{})}});
    json wanted = gateway(2);
    wanted["listeners"][0]["attachedRoutes"] = 7;
    const auto said_now = agreement.say(kEdge, wanted, unassigned(), {}, 100);
    REQUIRE(said_now.has_value());
    CHECK((*said_now)["listeners"][0]["attachedRoutes"] == 7);
    CHECK(text_of((*said_now)["conditions"]).starts_with("False AddressNotAssigned"));
}

TEST_CASE("agreement: what is Pending already is not written again for other words") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.live({});
    agreement.took(sharing(2, Here{}));
    const json wanted = gateway(2);
    const json told = corrected({.object = kEdge, .generation = 2, .status = [&wanted] { return wanted; }}, Phase::waiting, {});
    json server = told;
    keep_times(server, {}, "t0");
    CHECK(agreement.say(kEdge, wanted, server, {}, 100) == server);
}

TEST_CASE("agreement: the own addresses of other nodes are known while these live") {
    Agreement agreement("a");
    agreement.known(true);
    NodeReport report = took(1);
    report.own = {kAddress};
    agreement.heard("b", report);
    CHECK(agreement.own_of_others().empty());
    agreement.live({"b", "c"});
    CHECK(agreement.own_of_others() == Here{kAddress});
    agreement.known(false);
    CHECK(agreement.own_of_others().empty());
    agreement.known(true);
    agreement.live({"c"});
    CHECK(agreement.own_of_others().empty());
}
