// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/loop.hpp"

#include <unistd.h>

#include <thread>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

TEST_CASE("loop: posted work runs in order on the loop's thread") {
    auto loop = Loop::open();
    REQUIRE(loop.ok());
    std::string order;
    std::thread other([&] {
        for (char c = 'a'; c < 'e'; ++c) {
            (*loop)->post([&order, c] { order += c; });
        }
        (*loop)->stop();
    });
    (*loop)->run();
    other.join();
    CHECK(order == "abcd");
}

TEST_CASE("loop: a timer set again is moved, a cancelled one never fires, one that sets itself goes on") {
    auto opened = Loop::open();
    REQUIRE(opened.ok());
    Loop& loop = **opened;
    const auto now = Loop::Clock::now();
    std::string order;
    loop.at("moved", now, [&] { order += "never "; });
    loop.at("moved", now + std::chrono::milliseconds(2), [&] { order += "moved "; });
    loop.at("cancelled", now, [&] { order += "never "; });
    loop.cancel("cancelled");
    int rounds = 0;
    std::function<void()> again = [&] {
        if (++rounds < 3) {
            loop.at("again", Loop::Clock::now() + std::chrono::milliseconds(1), again);
        } else {
            order += "again ";
            loop.at("end", now + std::chrono::milliseconds(20), [&] { loop.stop(); });
        }
    };
    loop.at("again", now, again);
    CHECK(loop.pending("again"));
    loop.run();
    CHECK((order == "moved again " || order == "again moved "));
    CHECK_FALSE(loop.pending("again"));
}

TEST_CASE("loop: what is posted while it ends runs, what is posted later is refused") {
    auto loop = std::move(Loop::open()).value();
    bool ran = false;
    loop->post([&] {
        loop->stop();
        loop->post([&] { ran = true; });
    });
    loop->run();
    CHECK(ran);
    CHECK_FALSE(loop->post([] {}));
}

TEST_CASE("loop: a timer that is always due lets posted work through") {
    auto loop = std::move(Loop::open()).value();
    int turns = 0;
    const std::function<void()> greedy = [&] {
        ++turns;
        loop->at("greedy", Loop::Time(), greedy);
    };
    greedy();
    loop->post([&] { loop->stop(); });
    loop->run();
    CHECK(turns < 10);
}

TEST_CASE("loop: a watch may end itself") {
    auto opened = Loop::open();
    REQUIRE(opened.ok());
    Loop& loop = **opened;
    int ends[2] = {};
    REQUIRE(::pipe(ends) == 0);
    const Fd reader(ends[0]);
    const Fd writer(ends[1]);
    int calls = 0;
    REQUIRE(loop.watch(reader.get(), [&] {
        ++calls;
        loop.unwatch(reader.get());
        loop.stop();
    }).ok());
    REQUIRE(::write(writer.get(), "x", 1) == 1);
    loop.run();
    CHECK(calls == 1);
    CHECK_FALSE(loop.watch(-1, [] {}).ok());
}
