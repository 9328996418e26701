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
    CHECK(written <= 8);  // three, then one a second for 4 s, then one in two
    CHECK(written >= 6);
    REQUIRE(again.has_value());
    CHECK(*again <= server.now + milliseconds(150));  // quiet now: the last word does not wait for its second
    server.now = *again;
    server.pump();
    server.answer();
    CHECK(server.objects[kGateway].status["conditions"][0]["status"] == "499");
}

TEST_CASE("writer: the longer a Gateway changes, the less often it is written; once it has been quiet it is written at once") {
    Server server;
    server.put(kGateway);
    const auto written_in = [&](int seconds) {
        int written = 0;
        for (int i = 0; i < seconds * 50; ++i) {
            server.now += milliseconds(20);
            server.want(kGateway, std::to_string(written) + "/" + std::to_string(i));
            server.pump();
            if (!server.pending.empty()) {
                server.answer();
                ++written;
            }
        }
        return written;
    };
    CHECK(written_in(25) <= 15);
    server.now += milliseconds(5'000);
    CHECK(written_in(1) >= 3);
}

TEST_CASE("writer: the last word of what changes by fits and starts does not wait for a second") {
    Server server;
    server.put(kGateway);
    int written = 0;
    int wish = 0;
    for (int busy_for = 1; busy_for <= 14; ++busy_for) {  // a second each, with a pause of 300 ms
        for (int step = 0; step < 50; ++step) {
            server.now += milliseconds(20);
            if (step < 35) {
                server.want(kGateway, std::to_string(++wish));
            }
            server.pump();
            if (!server.pending.empty()) {
                server.answer();
                ++written;
            }
        }
    }
    CHECK(written <= 14);
    for (int step = 0; step < 35; ++step) {
        server.now += milliseconds(20);
        server.pump();
        if (!server.pending.empty()) {
            server.answer();
        }
    }
    CHECK(server.objects[kGateway].status["conditions"][0]["status"] == std::to_string(wish));
}

TEST_CASE("writer: one that had many last words is told at the pace when it changes all the time") {
    Server server;
    server.put(kGateway);
    Writer::Time last = server.now;
    milliseconds longest(0);
    for (int i = 0; i < 2500; ++i) {  // half of 50 s each 0.8 s, then each 20 ms
        server.now += milliseconds(20);
        if (i >= 1250 || i % 40 == 0) {
            server.want(kGateway, std::to_string(i));
        }
        server.pump();
        if (!server.pending.empty()) {
            server.answer();
            longest = std::max(longest, std::chrono::duration_cast<milliseconds>(server.now - last));
            last = server.now;
        }
    }
    CHECK(longest <= milliseconds(4'100));
}

TEST_CASE("writer: against somebody who always says something else it speaks once a second") {
    Server server;
    server.put(kGateway);
    server.want(kGateway, "True");
    int written = 0;
    for (int i = 0; i < 3000; ++i) {  // a minute
        server.now += milliseconds(20);
        if (i % 10 == 0) {
            server.put(kGateway, *status_of("False"));
        }
        server.pump();
        if (!server.pending.empty()) {
            server.answer();
            ++written;
        }
    }
    CHECK(written <= 66);  // five more at first
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
    CHECK(written <= 16);  // five, then one a second for 4 s, one in two for 6 s, one in four for 10 s
    CHECK(written >= 10);
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

TEST_CASE("writer: what may pass is tried again within seconds, unless it is much; what stays is not") {
    struct Case {
        long code;
        int objects;
        milliseconds most;
    };
    for (const Case& one : {Case{429, 1, milliseconds(8'000)}, Case{503, 1, milliseconds(8'000)}, Case{403, 1, milliseconds(64'000)}, Case{429, 200, milliseconds(10'000)}}) {
        INFO(one.code << " of " << one.objects);
        Server server;
        for (int i = 0; i < one.objects; ++i) {
            const ObjectKey key{Kind::http_route, "default", "r" + std::to_string(i)};
            server.put(key);
            server.want(key, "True");
        }
        const auto refused = [&] {
            auto again = server.pump();
            while (!server.pending.empty()) {
                server.answer(one.code);
                again = server.pump();
            }
            return again.value();
        };
        for (int round = 0; round < 12; ++round) {
            server.now = refused();
        }
        CHECK(refused() - server.now == one.most);
    }
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
