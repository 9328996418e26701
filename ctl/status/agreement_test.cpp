// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/agreement.hpp"

#include <algorithm>

#include "ctl/status/book.hpp"
#include "ctl/status/conditions_json.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::status;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr const char* kEdge = "Gateway/shop/edge";
const IpAddress kAddress = *IpAddress::parse("192.0.2.7");
using Here = std::set<IpAddress>;

json condition(const char* type, const char* status, const char* reason, std::int64_t generation) {
    return {{"type", type}, {"status", status}, {"reason", reason}, {"message", "m"}, {"observedGeneration", generation}, {"lastTransitionTime", "t0"}};
}

// A Gateway with the listeners http and https.
json gateway(std::int64_t generation, const char* programmed = "True") {
    json listeners = json::array();
    for (const char* name : {"http", "https"}) {
        listeners.push_back({{"name", name}, {"attachedRoutes", 1}, {"conditions", json::array({condition("Accepted", "True", "Accepted", generation), condition("Programmed", programmed, "Programmed", generation)})}});
    }
    return {{"conditions", json::array({condition("Accepted", "True", "Accepted", generation), condition("Programmed", programmed, std::string_view(programmed) == "True" ? "Programmed" : "Invalid", generation)})},
            {"listeners", listeners}};
}

json unassigned() {
    json status = gateway(2, "False");
    status["conditions"][1]["reason"] = "AddressNotAssigned";
    return status;
}

NodeReport took(std::int64_t generation, std::vector<Refusal> refusals = {}, const char* uid = "u") {
    return make_report({{kEdge, {.uid = uid, .generation = generation, .refusals = std::move(refusals)}}});
}

// As above, of a Gateway whose address nodes share out; nothing of addresses is told without `here`.
NodeReport sharing(std::int64_t generation, const std::optional<std::set<IpAddress>>& here) {
    NodeReport report = took(generation);
    report.objects.at(kEdge).shared = {kAddress};
    report.here = here;
    return report;
}
NodeReport theirs(std::int64_t generation, const std::optional<std::set<IpAddress>>& here) {
    NodeReport report = took(generation);
    report.here = here;
    return report;
}

void tell(Agreement& agreement, NodeReport mine, const std::set<std::string>& live, const std::map<std::string, NodeReport>& reports) {
    agreement.known(true);
    agreement.took(std::move(mine));
    agreement.live(live);
    for (const auto& [node, report] : reports) {
        agreement.heard(node, report);
    }
}

std::string text_of(const json& conditions) {
    const auto found = std::find_if(conditions.begin(), conditions.end(), [](const json& one) { return one["type"] == "Programmed"; });
    return (*found)["status"].get<std::string>() + " " + (*found)["reason"].get<std::string>() + ": " + (*found)["message"].get<std::string>();
}

bool all_timed(const json& status) {
    bool all = true;
    for_each_conditions(status, "shop", [&all](const std::string& /*where*/, const json& conditions) {
        all = all && std::all_of(conditions.begin(), conditions.end(), [](const json& one) { return one.contains("lastTransitionTime"); });
    });
    return all;
}

// "stays", "as it is", or what Programmed says.
std::string said(const std::optional<json>& status, const json& wanted) {
    CHECK((!status || all_timed(*status)));  // a server refuses conditions without
    return !status ? "stays" : *status == wanted ? "as it is" : text_of((*status)["conditions"]);
}

constexpr const char* kWaiting = "False Pending: not every node has taken this configuration yet";

struct Row {
    const char* name;
    std::set<std::string> live;                    // besides a, which writes
    std::map<std::string, NodeReport> reports;
    json server;                                   // status before: null, or as it was
    const char* at_once;
    const char* after;                             // patience is over
};

const std::vector<Refusal> kNoPort = {{Failure::Kind::socket, "", "port 80 is in use"}};

std::vector<Row> rows() {
    const json was = gateway(1), is = gateway(2);
    return {
        {"alone", {}, {}, {}, "as it is", "as it is"},
        {"alone, with the report of a node that went", {}, {{"b", took(1)}}, was, "as it is", "as it is"},
        {"the other has taken it", {"b"}, {{"b", took(2)}}, {}, "as it is", "as it is"},
        {"the other is ahead", {"b"}, {{"b", took(3)}}, was, "as it is", "as it is"},
        {"the other has told nothing; the object is new", {"b"}, {}, {}, kWaiting, "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"the other has another object", {"b"}, {{"b", took(2, {}, "of an earlier one")}}, {}, kWaiting, "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"the other is behind; the object was edited", {"b"}, {{"b", took(1)}}, was, "stays", "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"what was not programmed before is Pending", {"b"}, {{"b", took(1)}}, gateway(1, "False"), kWaiting, "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"told already: who falls behind later takes nothing back", {"b"}, {{"b", took(1)}}, is, "as it is", "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"one of two is behind", {"b", "c"}, {{"b", took(2)}, {"c", took(1)}}, was, "stays", "True Programmed: programmed on 2 of 3 nodes; waiting for c"},
        {"many are behind", {"b", "c", "d", "e", "f"}, {{"b", took(2)}}, was, "stays", "True Programmed: programmed on 2 of 6 nodes; waiting for c, d, e and 1 others"},
        {"one refuses", {"b", "c"}, {{"b", took(2)}, {"c", took(2, kNoPort)}}, was, "False Invalid: programmed on 2 of 3 nodes; c: port 80 is in use", "False Invalid: programmed on 2 of 3 nodes; c: port 80 is in use"},
        {"one refuses an older generation: it is behind", {"b"}, {{"b", took(1, kNoPort)}}, was, "stays", "True Programmed: programmed on 1 of 2 nodes; waiting for b"},
        {"one refuses, one is behind", {"b", "c"}, {{"c", took(2, kNoPort)}}, was, "stays", "False Invalid: programmed on 1 of 3 nodes; waiting for b; c: port 80 is in use"},
        {"a node that cannot hold its address", {"b"}, {{"b", took(2, {{Failure::Kind::address, "", "no interface"}})}}, was, "False AddressNotUsable: programmed on 1 of 2 nodes; b: no interface",
         "False AddressNotUsable: programmed on 1 of 2 nodes; b: no interface"},
        {"a report without room for all", {"b"}, {{"b", NodeReport{.objects = {}, .omitted = 7}}}, {}, "as it is", "as it is"},
    };
}

}  // namespace

TEST_CASE("agreement: what the writer says of a Gateway, by what the nodes have taken") {
    for (const Row& row : rows()) {
        DYNAMIC_SECTION(row.name) {
            Agreement agreement("a");
            tell(agreement, took(2), row.live, row.reports);
            const json wanted = gateway(2);
            const Agreement::Time start{};
            CHECK(said(agreement.say(kEdge, wanted, row.server, start, 100), wanted) == row.at_once);
            CHECK(said(agreement.say(kEdge, wanted, row.server, start + Agreement::kPatience - milliseconds(1), 105), wanted) == row.at_once);
            const auto due = agreement.due(start + Agreement::kPatience);
            CHECK(due.empty() == (std::string(row.at_once) == row.after));
            CHECK(said(agreement.say(kEdge, wanted, row.server, start + Agreement::kPatience, 105), wanted) == row.after);
            CHECK_FALSE(agreement.again().has_value());
        }
    }
}

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

TEST_CASE("agreement: the object's routes and what is not programmed wait for nobody") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.took(took(2));
    agreement.live({"b"});
    const json invalid = gateway(2, "False");
    CHECK(agreement.say(kEdge, invalid, gateway(1), {}, 0) == invalid);
    const json newer = gateway(3);  // what our own data path has not taken is not ours to judge
    CHECK(agreement.say(kEdge, newer, gateway(1), {}, 0) == newer);
    const json other = gateway(2);
    CHECK(agreement.say("Gateway/shop/of-a-folder", other, {}, {}, 0) == other);
    CHECK_FALSE(agreement.again().has_value());
}

TEST_CASE("agreement: a status made before this node took the newer generation takes nothing back") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.took(took(2));
    agreement.live({"b"});
    agreement.heard("b", took(2, kNoPort));
    const json refused = *agreement.say(kEdge, gateway(2), gateway(1), {}, 100);
    CHECK(agreement.say(kEdge, gateway(1), refused, {}, 100) == std::nullopt);
    CHECK(agreement.say(kEdge, gateway(1), {}, {}, 100) == gateway(1));  // one that has no status gets one
}

TEST_CASE("agreement: what is said of a refusal does not depend on who writes") {
    struct Row {
        std::vector<Refusal> refused;
        json of_refuser;  // what the book of the node that refuses has
    };
    const json good = gateway(2);
    const auto by_book = [&good](const Failure& failure) { return corrected({.object = kEdge, .generation = 2, .status = [&good] { return good; }}, Phase::taken, {failure}); };
    const Row rows[] = {
        {kNoPort, by_book({Failure::Kind::socket, kEdge, "", "port 80 is in use"})},
        {{{Failure::Kind::address, "", "no interface"}}, by_book({Failure::Kind::address, kEdge, "", "no interface"})},
        {{{Failure::Kind::socket, "https", "port 443 is in use"}}, by_book({Failure::Kind::socket, kEdge, "https", "port 443 is in use"})},
    };
    for (const Row& row : rows) {
        Agreement refuser("b"), other("a");
        for (Agreement* one : {&refuser, &other}) {
            one->known(true);
            one->live({"a", "b"});
        }
        refuser.took(took(2, row.refused));
        refuser.heard("a", took(2));
        other.took(took(2));
        other.heard("b", took(2, row.refused));
        const auto by_refuser = refuser.say(kEdge, row.of_refuser, gateway(1), {}, 100);
        INFO(*by_refuser);
        CHECK(by_refuser == other.say(kEdge, good, gateway(1), {}, 100));
    }
}

TEST_CASE("agreement: without the CRD each speaks for itself") {
    Agreement agreement("a");
    agreement.took(took(2));
    agreement.live({"b"});
    const json wanted = gateway(2);
    CHECK(agreement.say(kEdge, wanted, {}, {}, 0) == wanted);
    CHECK(agreement.open().empty());
    CHECK(agreement.known(true) == Agreement::Objects{kEdge});
    CHECK(agreement.say(kEdge, wanted, {}, {}, 0) != wanted);
    CHECK(agreement.known(false) == Agreement::Objects{kEdge});
    CHECK(agreement.say(kEdge, wanted, {}, {}, 0) == wanted);
}

TEST_CASE("agreement: a listener that a node refused names the node, and its neighbours go on") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.took(took(2));
    agreement.live({"b", "c"});
    const std::vector<Refusal> no_port = {{Failure::Kind::socket, "https", "port 443 is in use"}};
    agreement.heard("b", took(2, no_port));
    agreement.heard("c", took(2, no_port));
    const json wanted = gateway(2);
    const auto next = agreement.say(kEdge, wanted, gateway(2), {}, 100);
    REQUIRE(next.has_value());
    CHECK(text_of((*next)["conditions"]) == "True Programmed: m");
    CHECK(text_of((*next)["listeners"][0]["conditions"]) == "True Programmed: m");
    CHECK(text_of((*next)["listeners"][1]["conditions"]) == "False Invalid: b: port 443 is in use; c: port 443 is in use");
    CHECK((*next)["listeners"][0]["conditions"][1]["lastTransitionTime"] == "t0");
    CHECK((*next)["listeners"][1]["conditions"][1]["lastTransitionTime"] == "1970-01-01T00:01:40Z");
    CHECK(agreement.open() == Agreement::Objects{kEdge});
    CHECK(agreement.stand(kEdge).refused.size() == 2);
    // They can, in the end.
    agreement.heard("b", took(2));
    CHECK(agreement.heard("c", took(2)) == Agreement::Objects{kEdge});
    CHECK(agreement.say(kEdge, wanted, *next, {}, 100) == wanted);
    CHECK(agreement.open().empty());
}

TEST_CASE("agreement: facts tell of which objects something else may be said") {
    Agreement agreement("a");
    agreement.known(true);
    CHECK(agreement.took(took(1)) == Agreement::Objects{kEdge});
    CHECK(agreement.took(took(1)).empty());
    CHECK(agreement.heard("b", took(1)).empty());  // it does not live
    CHECK(agreement.live({"a", "b"}) == Agreement::Objects{kEdge});
    CHECK(agreement.live({"b"}).empty());
    CHECK(agreement.heard("b", took(1)).empty());
    CHECK(agreement.heard("b", took(2)) == Agreement::Objects{kEdge});
    CHECK(agreement.reporting() == 2);
    CHECK(agreement.lost("b") == Agreement::Objects{kEdge});
    CHECK(agreement.lost("b").empty());
    CHECK(agreement.reporting() == 1);
    CHECK(agreement.took({}) == Agreement::Objects{kEdge});
}

TEST_CASE("agreement: a newer generation is waited for anew, and a node that goes is not") {
    Agreement agreement("a");
    agreement.known(true);
    agreement.live({"b"});
    agreement.heard("b", took(1));
    agreement.took(took(2));
    const Agreement::Time start{};
    const json second = gateway(2);
    CHECK(agreement.say(kEdge, second, gateway(1), start, 0) == std::nullopt);
    agreement.took(took(3));
    const json third = gateway(3);
    CHECK(agreement.say(kEdge, third, gateway(1), start + milliseconds(4'000), 0) == std::nullopt);
    CHECK(agreement.due(start + milliseconds(6'000)).empty());
    CHECK(agreement.again() == start + milliseconds(9'000));
    agreement.live({});
    CHECK(agreement.say(kEdge, third, gateway(1), start + milliseconds(6'000), 0) == third);
    CHECK_FALSE(agreement.again().has_value());
}
