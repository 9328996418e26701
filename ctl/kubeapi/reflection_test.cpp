// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/reflection.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::kubeapi;
using What = Reflection::Next::What;

namespace {

Answer page(const std::string& version, const std::string& names, const std::string& more = "") {
    std::string items;
    for (const char name : names) {
        items += std::string(items.empty() ? "" : ",") + R"({"metadata":{"name":")" + name + R"("}})";
    }
    return {.status = 200, .body = R"({"kind":"ServiceList","metadata":{"resourceVersion":")" + version + R"(","continue":")" + more + R"("},"items":[)" + items + "]}"};
}

std::string event(const std::string& type, const std::string& name, const std::string& version) {
    return R"({"type":")" + type + R"(","object":{"kind":"Service","apiVersion":"v1","metadata":{"name":")" + name + R"(","resourceVersion":")" + version + R"("}}})";
}

// "a,b,-c,": c is gone.
std::string names(const Batch& batch) {
    std::string out;
    for (const Batch::Change& change : batch.changes) {
        out += (change.gone ? "-" : "") + *change.object.find_path({"metadata", "name"})->as_string() + ",";
    }
    return out;
}

Answer refused(long status) { return {.status = status, .body = R"({"kind":"Status","message":"no"})", .retry_after = {}}; }

Reflection synced() {
    Reflection reflection("v1", "Service", "", 1);
    (void)reflection.next();
    (void)reflection.listed(page("7", "a"));
    return reflection;
}

bool watches_from(Reflection& reflection, const std::string& version) {
    const auto next = reflection.next();
    return next.what == What::watch && next.query.find("resourceVersion=" + version) != std::string::npos;
}

}  // namespace

TEST_CASE("reflection: pages become one batch that says it is all, with the kind that the items leave out") {
    Reflection reflection("v1", "Service", "fieldSelector=type%21%3Dx", 1);
    CHECK(reflection.next().query == "limit=500&fieldSelector=type%21%3Dx");
    CHECK_FALSE(reflection.listed(page("7", "ab", "next/page")).has_value());
    CHECK_FALSE(reflection.synced());
    CHECK(reflection.next().query == "limit=500&fieldSelector=type%21%3Dx&continue=next%2Fpage");
    const auto batch = reflection.listed(page("7", "c"));
    REQUIRE(batch.has_value());
    CHECK(batch->all);
    CHECK(names(*batch) == "a,b,c,");
    CHECK(*batch->changes[0].object.find("kind")->as_string() == "Service");
    CHECK(*batch->changes[0].object.find("apiVersion")->as_string() == "v1");
    CHECK(reflection.synced());
    CHECK(watches_from(reflection, "7"));
}

TEST_CASE("reflection: events move the version, bookmarks too, and a cut line does not") {
    Reflection reflection = synced();
    (void)reflection.next();
    Batch batch;
    reflection.line(event("ADDED", "b", "8"), batch);
    reflection.line(event("MODIFIED", "a", "9"), batch);
    reflection.line(event("DELETED", "b", "10"), batch);
    reflection.line(event("BOOKMARK", "", "20"), batch);
    const std::string cut = event("ADDED", "c", "21");
    reflection.line(cut.substr(0, cut.size() / 2), batch);
    CHECK(names(batch) == "b,a,-b,");
    reflection.watch_ended(Answer{.status = 200});
    const auto next = reflection.next();
    CHECK(next.what == What::watch);
    CHECK(next.delay.count() == 0);
    CHECK(next.query.find("resourceVersion=20") != std::string::npos);
}

TEST_CASE("reflection: a lost connection goes on from the last version, with a growing delay") {
    Reflection reflection = synced();
    milliseconds last(0);
    for (int i = 0; i < 4; ++i) {
        (void)reflection.next();
        reflection.watch_ended(Error{.code = Errc::internal, .what = "reset"});
        CHECK(reflection.trouble().has_value());
        Reflection copy = reflection;
        const auto next = copy.next();
        CHECK(next.what == What::watch);
        CHECK(next.delay > last / 2);
        last = next.delay;
    }
    CHECK(last.count() > 500);
    Batch batch;
    (void)reflection.next();
    reflection.line(event("ADDED", "b", "8"), batch);
    CHECK_FALSE(reflection.trouble().has_value());
}

TEST_CASE("reflection: a version that the server forgot is a new list, whichever way it says so") {
    for (const bool by_event : {true, false}) {
        Reflection reflection = synced();
        (void)reflection.next();
        Batch batch;
        if (by_event) {
            reflection.line(R"({"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}})", batch);
            reflection.watch_ended(Answer{.status = 200});
        } else {
            reflection.watch_ended(refused(410));
        }
        const auto next = reflection.next();
        CHECK(next.what == What::list);
        CHECK(reflection.synced());  // what was seen stays good meanwhile
        CHECK(reflection.listed(page("30", "z"))->all);
    }
}

TEST_CASE("reflection: a page's token that is too old starts the list over") {
    Reflection reflection("v1", "Service", "", 1);
    (void)reflection.next();
    (void)reflection.listed(page("7", "ab", "more"));
    (void)reflection.next();
    CHECK_FALSE(reflection.listed(refused(410)).has_value());
    CHECK(reflection.next().query == "limit=500");
    CHECK(names(*reflection.listed(page("9", "xy"))) == "x,y,");
}

TEST_CASE("reflection: what the server refuses is trouble with its words") {
    struct Row {
        long status;
        bool missing;
    };
    for (const Row& row : {Row{403, false}, Row{404, true}, Row{429, false}, Row{500, false}}) {
        Reflection reflection("v1", "Service", "", 1);
        (void)reflection.next();
        Answer answer = refused(row.status);
        answer.retry_after = milliseconds(5000);
        CHECK_FALSE(reflection.listed(answer).has_value());
        CHECK(reflection.missing() == row.missing);
        CHECK(reflection.trouble()->message().find("no") != std::string::npos);
        CHECK(reflection.next().delay >= milliseconds(5000));
    }
}

TEST_CASE("reflection: a server that ends every watch at once is not asked in a tight loop") {
    Reflection reflection = synced();
    milliseconds sum(0);
    for (int i = 0; i < 6; ++i) {
        sum += reflection.next().delay;
        reflection.watch_ended(Answer{.status = 200});
    }
    CHECK(sum > milliseconds(1000));
}

TEST_CASE("reflection: an answer that is no list is trouble and no empty collection") {
    for (const char* body : {"", "{}", "<html>", R"({"metadata":{},"items":[]})", R"({"items":null})"}) {
        Reflection reflection("v1", "Service", "", 1);
        (void)reflection.next();
        CHECK_FALSE(reflection.listed(Answer{.status = 200, .body = body}).has_value());
        CHECK_FALSE(reflection.synced());
        CHECK(reflection.trouble().has_value());
    }
}
