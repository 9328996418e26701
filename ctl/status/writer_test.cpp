// SPDX-License-Identifier: Apache-2.0
// What the writer says of an object, and what it leaves alone.
#include "ctl/status/test_writer.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::status;
using namespace penstock::status::testing;
using model::ObjectKey;
using nlohmann::json;
using std::chrono::milliseconds;

TEST_CASE("writer: what differs is written once, and what is right is not") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    REQUIRE(server.flying() == "HTTPRoute default/shop,");
    server.answer();
    CHECK(server.objects[kRoute].status["conditions"][0]["status"] == "True");
    server.writer.seen(kRoute);
    server.pump();
    CHECK(server.flying().empty());
    CHECK(server.writer.written() == 1);
    server.put(kRoute, *status_of("True"));
    server.pump();
    CHECK(server.flying().empty());
}

TEST_CASE("writer: a look at all finds what no event told of, and writes nothing else") {
    Server server;
    for (const ObjectKey& key : {kClass, kRoute}) {
        server.put(key);
        server.want(key, "True");
        server.pump();
        server.answer();
    }
    server.writer.look_again();
    server.pump();
    CHECK(server.flying().empty());
    server.objects[kRoute].status = *status_of("False");  // and nobody said so
    server.objects[kRoute].version = "7777";
    server.pump();
    CHECK(server.flying().empty());
    server.now += std::chrono::minutes(1);
    server.writer.look_again();
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,");
}

TEST_CASE("writer: a form that the server makes of ours is not written again and again") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    const std::string version = std::to_string(++server.version);
    server.answer(200, json{{"metadata", {{"resourceVersion", version}}}, {"status", {{"conditions", json::array()}}}}.dump());
    server.writer.seen(kRoute);
    server.pump();
    CHECK(server.flying().empty());
    server.objects[kRoute].version = "999";  // but somebody else's change is
    server.writer.seen(kRoute);
    server.pump();
    CHECK_FALSE(server.flying().empty());
}

TEST_CASE("writer: classes first, ListenerSets before Gateways") {
    Server server;
    server.put(kGateway);
    server.want(kGateway, "Before");
    server.pump();
    server.now += milliseconds(30);
    server.pump();
    server.answer();  // it is not new any more
    for (const ObjectKey& key : {kRoute, kGateway, kSet, kClass}) {
        server.put(key);
        server.want(key, "True");
    }
    server.pump();
    CHECK(server.flying() == "GatewayClass penstock,ListenerSet default/more,HTTPRoute default/shop,");
    server.answer();
    server.pump();
    CHECK(server.flying() == "ListenerSet default/more,HTTPRoute default/shop,");
    server.answer();
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,Gateway default/edge,");
    server.answer();
    server.answer();
    server.put(kSet, *status_of("True"));  // nothing to write: a Gateway need not wait
    server.want(kGateway, "False");
    server.pump();
    CHECK(server.flying() == "Gateway default/edge,");
}

TEST_CASE("writer: the first word for a Gateway waits for what is applied with it") {
    Server server;
    server.put(kGateway);
    server.pump();  // nothing to say yet: that is no part of the wait
    server.now += milliseconds(100);
    server.want(kGateway, "0 sets");
    const auto begun = server.now;
    CHECK(server.pump() == begun + milliseconds(30));
    CHECK(server.flying().empty());
    server.now += milliseconds(20);
    server.put(kSet);
    server.want(kSet, "True");
    server.want(kGateway, "1 set");
    server.pump();  // no longer for it
    CHECK(server.flying() == "ListenerSet default/more,");
    server.now += milliseconds(10);
    server.answer();
    server.pump();
    REQUIRE(server.flying() == "Gateway default/edge,");
    server.answer();
    CHECK(server.objects[kGateway].status["conditions"][0]["status"] == "1 set");
    CHECK(server.writer.written() == 2);
    server.want(kGateway, "2 sets");  // it is known now
    server.pump();
    CHECK(server.flying() == "Gateway default/edge,");
}

TEST_CASE("writer: a ListenerSet that cannot be written, or changes all the time, holds up no Gateway") {
    struct Case {
        const char* name;
        int code;      // of what the server says to the set
        bool changes;
    };
    for (const Case& one : {Case{"refused", 422, false}, Case{"refused and changing", 422, true}, Case{"changing", 0, true}}) {
        INFO(one.name);
        Server server;
        server.put(kGateway);
        server.put(kSet);
        server.want(kSet, "True");
        int gateways = 0;
        for (int i = 0; i < 100; ++i) {
            server.now += milliseconds(100);
            if (one.changes) {
                server.want(kSet, std::to_string(i));
            }
            if (i % 10 == 0) {
                server.want(kGateway, std::to_string(i));
            }
            server.pump();
            while (!server.pending.empty()) {
                const bool set = server.pending[0].key == kSet;
                gateways += set ? 0 : 1;
                server.answer(set ? one.code : 0);
            }
        }
        CHECK(gateways == 10);
    }
}

TEST_CASE("writer: a server that does not know an object that it has is asked again") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    server.answer(404);
    const auto again = server.pump();
    REQUIRE(again.has_value());
    server.now = *again;
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,");
    CHECK(server.writer.troubles().empty());
}

TEST_CASE("writer: the words for a deleted object are not said of the next of its name") {
    Server server;
    const auto of_generation = [](int generation) {
        return std::make_shared<const std::string>(json{{"conditions", json::array({{{"type", "Accepted"}, {"status", "True"}, {"observedGeneration", generation}, {"lastTransitionTime", "t"}}})}}.dump());
    };
    server.put(kRoute);
    server.objects[kRoute].generation = 1;
    server.writer.want(kRoute, of_generation(5));
    server.pump();
    CHECK(server.flying().empty());
    server.writer.want(kRoute, of_generation(1));
    server.pump();
    CHECK(server.flying() == "HTTPRoute default/shop,");
}

TEST_CASE("writer: a last word is said once, and not against somebody else's") {
    const std::string last = R"({"conditions":[{"type":"Accepted","status":"Unknown","lastTransitionTime":"t"}]})";
    for (const bool conflict : {false, true}) {
        Server server;
        server.put(kGateway, *status_of("True"));
        server.want(kGateway, "True");
        server.pump();
        server.writer.part(kGateway, last);
        server.pump();
        REQUIRE(server.flying() == "Gateway default/edge,");
        if (conflict) {
            server.put(kGateway, *status_of("Theirs"));
        }
        server.answer();
        server.put(kGateway, *status_of("Theirs"));
        server.now += milliseconds(5000);
        server.pump();
        CHECK(server.flying().empty());
        CHECK(server.objects[kGateway].status == *status_of("Theirs"));
    }
    Server failing;  // a server that fails is asked again, one that has another version of the same words, too
    failing.put(kGateway, *status_of("True"));
    failing.want(kGateway, "True");
    failing.pump();
    failing.writer.part(kGateway, last);
    failing.pump();
    failing.answer(503);
    failing.now += milliseconds(5000);
    failing.pump();
    failing.put(kGateway, *status_of("True"));
    failing.answer();
    failing.now += milliseconds(5000);
    failing.pump();
    failing.answer();
    CHECK(failing.objects[kGateway].status["conditions"][0]["status"] == "Unknown");
    CHECK(failing.writer.troubles().empty());

    Server led;  // who does not write any more says no last words later
    led.put(kGateway, *status_of("True"));
    led.want(kGateway, "True");
    led.pump();
    led.writer.part(kGateway, last);
    led.writer.enable(false);
    led.writer.enable(true);
    led.pump();
    CHECK(led.flying().empty());

    Server late;  // what was said before it is still on its way
    late.put(kGateway);
    late.want(kGateway, "True");
    late.pump();
    late.now += milliseconds(30);
    late.pump();
    late.writer.part(kGateway, last);
    late.answer();
    late.pump();
    late.answer();
    CHECK(late.objects[kGateway].status["conditions"][0]["status"] == "Unknown");

    Server other;
    other.put(kGateway, *status_of("True"));
    other.writer.enable(false);
    other.writer.part(kGateway, last);
    other.writer.enable(true);
    other.pump();
    CHECK(other.flying().empty());  // who wrote then has said it
}

TEST_CASE("writer: an odd answer ends nothing") {
    for (const std::string body : {R"({"metadata":{"resourceVersion":7},"status":{}})", R"({"metadata":[1],"status":1})", "[]", "x", R"({"metadata":{"resourceVersion":"7"},"status":5})"}) {
        Server server;
        server.put(kRoute);
        server.want(kRoute, "True");
        server.pump();
        server.answer(200, body);
        server.pump();
        CHECK(server.writer.written() == 1);
    }
}

TEST_CASE("writer: a conflict is no trouble, and the newer object is written") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    server.put(kRoute, json{{"parents", json::array({{{"controllerName", "example.com/other"}}})}});
    server.answer();
    CHECK(server.writer.conflicts() == 1);
    CHECK(server.writer.troubles().empty());
    server.now += milliseconds(300);
    server.pump();
    REQUIRE(server.pending.size() == 1);
    server.answer();
    CHECK(server.objects[kRoute].status["parents"].size() == 1);
    CHECK(server.objects[kRoute].status["conditions"].size() == 1);
}

TEST_CASE("writer: an object that is not published loses ours, and one that was deleted is forgotten") {
    Server server;
    server.put(kRoute, json{{"parents", json::array({{{"controllerName", kController}}, {{"controllerName", "example.com/other"}}})}});
    server.pump();
    REQUIRE(server.pending.size() == 1);
    server.answer();
    CHECK(server.objects[kRoute].status["parents"].size() == 1);
    server.put(kGateway);
    server.want(kGateway, "True");
    server.pump();
    server.now += milliseconds(30);
    server.pump();
    server.objects.erase(kGateway);
    server.answer(404);
    server.writer.want(kGateway, nullptr);
    server.pump();
    CHECK(server.flying().empty());
    CHECK(server.writer.waiting() == 0);
}

TEST_CASE("writer: while others write, what was deleted is not kept") {
    Server server;
    server.writer.enable(false);
    server.put(kRoute);
    server.want(kRoute, "True");
    server.put(kGateway);
    CHECK(server.writer.waiting() == 2);
    server.objects.clear();
    server.writer.want(kRoute, nullptr);
    server.writer.seen(kGateway);
    CHECK(server.writer.waiting() == 0);
    server.want(kRoute, "True");  // published, and the server is about to have it
    CHECK(server.writer.waiting() == 1);
}
