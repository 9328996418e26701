// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/reflection.hpp"

#include <functional>

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

constexpr auto kAtOnce = milliseconds(5);
constexpr auto kMinute = milliseconds(60'000);

std::string error_event(int code, const std::string& rest = "") {
    return R"({"type":"ERROR","object":{"kind":"Status","code":)" + std::to_string(code) + rest + R"(,"message":"no"}})";
}

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

TEST_CASE("reflection: events move the version, bookmarks too, and an end goes on at once") {
    Reflection reflection = synced();
    (void)reflection.next();
    Batch batch;
    CHECK(reflection.line(event("ADDED", "b", "8"), batch));
    CHECK(reflection.line(event("MODIFIED", "a", "9"), batch));
    CHECK(reflection.line(event("DELETED", "b", "10"), batch));
    CHECK(reflection.line(event("BOOKMARK", "", "20"), batch));
    CHECK(reflection.line(R"({"type":"BOOKMARK","object":{}})", batch));
    CHECK(reflection.line(" \r", batch));
    CHECK(names(batch) == "b,a,-b,");
    reflection.watch_ended(Answer{.status = 200}, kAtOnce);
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
        reflection.watch_ended(Error{.code = Errc::internal, .what = "reset"}, kAtOnce);
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
    CHECK(reflection.line(event("ADDED", "b", "8"), batch));
    CHECK_FALSE(reflection.trouble().has_value());
}

TEST_CASE("reflection: a version that the server forgot is a new list, whichever way it says so") {
    for (const bool by_event : {true, false}) {
        Reflection reflection = synced();
        (void)reflection.next();
        Batch batch;
        if (by_event) {
            CHECK_FALSE(reflection.line(error_event(410, R"(,"reason":"Expired")"), batch));
            reflection.watch_ended(Answer{.status = 200}, kAtOnce);
        } else {
            reflection.watch_ended(refused(410), kAtOnce);
        }
        const auto next = reflection.next();
        CHECK(next.what == What::list);
        CHECK(next.delay.count() == 0);
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

namespace {

// What a server does to each request, and how that goes.
struct Server {
    std::function<Result<Answer>(const std::string& query)> list = [](const std::string&) { return page("7", "a"); };
    std::function<Result<Answer>(const std::string& query, const std::function<void(const std::string&)>& line)> watch;
    milliseconds lived = kAtOnce;
};

struct Run {
    unsigned lists = 0;
    unsigned watches = 0;
    milliseconds waited{0};
    std::string last_list;

    // Asks `server` so often.
    void go(Reflection& reflection, const Server& server, int times) {
        for (int i = 0; i < times; ++i) {
            const auto next = reflection.next();
            waited += next.delay;
            if (next.what == What::list) {
                ++lists;
                last_list = next.query;
                (void)reflection.listed(server.list(next.query));
                continue;
            }
            ++watches;
            bool over = false;
            Batch batch;
            const auto answer = server.watch(next.query, [&](const std::string& text) { over = over || !reflection.line(text, batch); });
            reflection.watch_ended(answer, server.lived);
        }
    }
};

using Line = std::function<void(const std::string&)>;
const Answer kEnd{.status = 200, .body = {}, .retry_after = {}};

}  // namespace

TEST_CASE("reflection: whatever a server repeats, it is not asked in a tight loop") {
    struct Row {
        const char* what;
        bool lost_before;  // a connection, so that there is trouble
        Server server;
    };
    const Row rows[] = {
        {"an end without a line", false, {.watch = [](const auto&, const Line&) { return kEnd; }}},
        {"the same after trouble", true, {.watch = [](const auto&, const Line&) { return kEnd; }}},
        {"an end after a line", false, {.watch = [](const auto&, const Line& line) { return line(event("BOOKMARK", "", "8")), kEnd; }}},
        {"410", false, {.watch = [](const auto&, const Line&) { return refused(410); }}},
        {"410 after a line", false, {.watch = [](const auto&, const Line& line) { return line(event("BOOKMARK", "", "8")), refused(410); }}},
        {"410 as an event", false, {.watch = [](const auto&, const Line& line) { return line(error_event(410)), kEnd; }}},
        {"404 to the watch alone", false, {.watch = [](const auto&, const Line&) { return refused(404); }}},
        {"500", false, {.watch = [](const auto&, const Line&) { return refused(500); }}},
        {"an ERROR event", false, {.watch = [](const auto&, const Line& line) { return line(error_event(500)), kEnd; }}},
        {"junk after a line", false, {.watch = [](const auto&, const Line& line) { return line(event("BOOKMARK", "", "8")), line("junk"), kEnd; }}},
        {"second pages that expired", false, {.list = [](const std::string& query) { return query.find("continue") == std::string::npos ? page("7", "a", "more") : refused(410); }}},
        {"second pages that are junk", false, {.list = [](const std::string& query) { return query.find("continue") == std::string::npos ? page("7", "a", "more") : kEnd; }}},
        {"one page again and again", false, {.list = [](const std::string&) { return page("7", "a", "more"); }}},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Reflection reflection("v1", "Service", "", 1);
        Run run;
        if (row.lost_before) {
            Server lost{.watch = [](const auto&, const Line&) { return Error{.code = Errc::internal, .what = "reset"}; }};
            run.go(reflection, lost, 2);
        }
        run.go(reflection, row.server, 1000);
        CHECK(run.waited > milliseconds(60'000));
        CHECK(run.waited < milliseconds(1000 * 32'000));  // it does not give up either
    }
}

TEST_CASE("reflection: waits begin anew when a watch has lasted") {
    Reflection reflection = synced();
    Run run;
    const Server expired{.watch = [](const auto&, const Line&) { return refused(410); }};
    run.go(reflection, expired, 20);
    CHECK(run.waited > milliseconds(10'000));
    const Server lasts{.watch = [](const auto&, const Line&) { return kEnd; }, .lived = kMinute};
    run.go(reflection, lasts, 3);
    run = {};
    run.go(reflection, lasts, 10);
    CHECK(run.waited.count() == 0);
    run.go(reflection, expired, 2);
    CHECK(run.lists == 1);
    CHECK(run.waited.count() == 0);
}

TEST_CASE("reflection: what cannot go on from a version, or a page, starts over") {
    // Until the list is anew, the server says the same to each watch from version 7, and to each page but the first.
    const auto stale = [](const std::string& query) { return query.find("resourceVersion=7&") != std::string::npos || query.ends_with("resourceVersion=7"); };
    struct Row {
        const char* what;
        Server server;
    };
    const Row rows[] = {
        {"400", {.watch = [&](const auto& query, const Line&) { return stale(query) ? refused(400) : kEnd; }}},
        {"500", {.watch = [&](const auto& query, const Line&) { return stale(query) ? refused(500) : kEnd; }}},
        {"an ERROR event", {.watch = [&](const auto& query, const Line& line) { return line(stale(query) ? error_event(500) : event("BOOKMARK", "", "9")), kEnd; }}},
        {"a bookmark of junk", {.watch = [&](const auto& query, const Line& line) {
             return stale(query) ? (line(event("BOOKMARK", "", "junk")), kEnd) : query.find("junk") != std::string::npos ? refused(400) : kEnd;
         }}},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Reflection reflection = synced();
        Server server = row.server;
        server.list = [](const std::string&) { return page("8", "b"); };
        Run run;
        for (int i = 0; i < 10 && run.lists == 0; ++i) {
            run.go(reflection, server, 1);
        }
        CHECK(run.lists == 1);
        CHECK(reflection.synced());
    }
    Reflection reflection("v1", "Service", "", 1);
    Run run;
    const Server bad_page{.list = [](const std::string& query) { return query.find("continue") == std::string::npos ? page("7", "a", "more") : refused(400); }, .watch = {}};
    run.go(reflection, bad_page, 4);
    CHECK(reflection.next().query == "limit=500");
    CHECK(names(*reflection.listed(page("9", "xy"))) == "x,y,");
}

TEST_CASE("reflection: a server that is busy, or away, is waited for without a list") {
    struct Row {
        const char* what;
        Result<Answer> answer;
    };
    for (const Row& row : {Row{"429", refused(429)}, Row{"503", refused(503)}, Row{"away", Error{.code = Errc::internal, .what = "refused"}}}) {
        INFO(row.what);
        Reflection reflection = synced();
        Run run;
        run.go(reflection, Server{.watch = [&](const auto&, const Line&) { return row.answer; }}, 100);
        CHECK(run.lists == 0);
        CHECK(watches_from(reflection, "7"));
    }
}

TEST_CASE("reflection: an event that makes no sense is made up for by a list") {
    for (const char* text : {"junk", "{", "{}", "[]", R"({"type":"DELETED"})", R"({"type":"DELETED","object":null})", R"({"type":"DELETED","object":{"metadata":{"name":"a"}}})",
                             "{\"type\":\"DELETED\",\"object\":{\"metadata\":{\"name\":\"\xff\",\"resourceVersion\":\"8\"}}}"}) {
        INFO(text);
        Reflection reflection = synced();
        (void)reflection.next();
        Batch batch;
        CHECK(reflection.line(event("ADDED", "b", "8"), batch));
        CHECK_FALSE(reflection.line(text, batch));
        CHECK_FALSE(reflection.line(event("BOOKMARK", "", "20"), batch));
        CHECK(names(batch) == "b,");
        CHECK(reflection.trouble().has_value());
        reflection.watch_ended(kEnd, kMinute);
        const auto next = reflection.next();
        CHECK(next.what == What::list);
        CHECK(next.delay.count() > 0);
    }
}

TEST_CASE("reflection: who does not trust events has a list, once, and not in the middle of one") {
    Reflection reflection = synced();
    (void)reflection.next();
    reflection.restart();
    CHECK(reflection.next().query == "limit=500");
    CHECK_FALSE(reflection.listed(page("8", "ab", "more")).has_value());
    reflection.restart();
    CHECK(reflection.next().query == "limit=500&continue=more");
    CHECK(names(*reflection.listed(page("8", "c"))) == "a,b,c,");
    CHECK(watches_from(reflection, "8"));
}

TEST_CASE("reflection: a list says up to which version watches had told everything") {
    Reflection fresh("v1", "Service", "", 1);
    (void)fresh.next();
    CHECK(fresh.listed(page("7", "a"))->since.empty());
    (void)fresh.next();
    Batch batch;
    CHECK(fresh.line(event("MODIFIED", "a", "9"), batch));
    fresh.restart();
    (void)fresh.next();
    CHECK_FALSE(fresh.listed(refused(500)).has_value());  // that does not make it unknown
    (void)fresh.next();
    CHECK(fresh.listed(page("12", "a"))->since == "9");
    (void)fresh.next();
    fresh.watch_ended(refused(410), kAtOnce);
    (void)fresh.next();
    CHECK(fresh.listed(page("30", "a"))->since == "12");
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
