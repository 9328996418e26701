// SPDX-License-Identifier: Apache-2.0
// When the writer writes: its pace, its pauses, how much at once.
#include "ctl/status/test_writer.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::status;
using namespace penstock::status::testing;
using model::Kind;
using model::ObjectKey;
using std::chrono::milliseconds;

TEST_CASE("writer: one at a time per object, and the newest wish goes next") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    server.pump();
    server.want(kRoute, "False");
    server.want(kRoute, "Unknown");
    server.pump();
    CHECK(server.pending.size() == 1);
    server.answer();
    server.pump();
    REQUIRE(server.pending.size() == 1);
    CHECK(server.pending[0].patch["status"]["conditions"][0]["status"] == "Unknown");
}

TEST_CASE("writer: an object that changes all the time is written at a pace, and its last word is") {
    Server server;
    server.put(kGateway);
    int written = 0;
    std::optional<Writer::Time> again;
    for (int i = 0; i < 500; ++i) {
        server.now += milliseconds(10);
        server.want(kGateway, std::to_string(i));
        again = server.pump();
        if (!server.pending.empty()) {
            server.answer();
            ++written;
        }
    }
    CHECK(written <= 8);  // three, then one a second
    CHECK(written >= 7);
    REQUIRE(again.has_value());
    CHECK(*again <= server.now + milliseconds(150));  // quiet now: the last word does not wait for its second
    server.now = *again;
    server.pump();
    server.answer();
    CHECK(server.objects[kGateway].status["conditions"][0]["status"] == "499");
}

TEST_CASE("writer: one that falls quiet between its changes is not written more often for it") {
    Server server;
    server.put(kGateway);
    int written = 0;
    for (int i = 0; i < 100; ++i) {
        server.want(kGateway, std::to_string(i));
        for (int step = 0; step < 20; ++step) {  // a change each 200 ms
            server.now += milliseconds(10);
            server.pump();
            if (!server.pending.empty()) {
                server.answer();
                ++written;
            }
        }
    }
    CHECK(written <= 26);  // five, then one a second for 20 s
    CHECK(written >= 20);
}

TEST_CASE("writer: what the server refuses is told and tried again, later and later") {
    Server server;
    server.put(kRoute);
    server.want(kRoute, "True");
    milliseconds last(0);
    for (int i = 0; i < 5; ++i) {
        const auto again = server.pump();
        CHECK_FALSE(again.has_value());
        REQUIRE(server.pending.size() == 1);
        server.answer(i % 2 == 0 ? 403 : 500, R"({"message":"no"})");
        REQUIRE(server.writer.troubles().size() == 1);
        CHECK(server.writer.troubles().begin()->second.message().find("no") != std::string::npos);
        const auto when = server.pump();
        REQUIRE(when.has_value());
        CHECK(*when - server.now > last);
        last = std::chrono::duration_cast<milliseconds>(*when - server.now);
        server.now = *when;
    }
    server.pump();
    server.answer();
    CHECK(server.writer.troubles().empty());
}

TEST_CASE("writer: many objects go out a few at a time") {
    Server server;
    for (int i = 0; i < 100; ++i) {
        const ObjectKey key{Kind::http_route, "default", "r" + std::to_string(i)};
        server.put(key);
        server.want(key, "True");
    }
    server.pump();
    CHECK(server.pending.size() == 32);
    while (!server.pending.empty()) {
        server.answer();
        server.pump();
    }
    CHECK(server.writer.written() == 100);
}
