// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/agreement.hpp"

#include "ctl/status/book.hpp"
#include "ctl/status/test_agreement.hpp"

using namespace penstock;
using namespace penstock::status;
using namespace penstock::status::testing;
using nlohmann::json;
using std::chrono::milliseconds;

namespace {

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
