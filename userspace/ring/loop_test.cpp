// SPDX-License-Identifier: Apache-2.0
// The loop's turns, and what other threads give it. Every case runs on both engines.
#include <thread>

#include "userspace/ring/testing.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace penstock::ring::testing;
using namespace std::chrono_literals;

TEST_CASE("ring: work posted by other threads runs on the loop, all of it, in each thread's order") {
    auto loop = make_loop();
    static constexpr int kEach = 1000;
    std::array<int, 3> next{};
    int total = 0;
    bool ordered = true;
    std::vector<std::thread> threads;
    const auto self = std::this_thread::get_id();
    for (std::size_t t = 0; t < next.size(); t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; i++) {
                loop->post([&, t, i] {
                    ordered = ordered && next[t]++ == i && std::this_thread::get_id() == self;
                    if (++total == kEach * static_cast<int>(next.size())) {
                        loop->stop();
                    }
                });
            }
        });
    }
    CHECK(loop->run() == 0);
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(ordered);
    CHECK(total == kEach * 3);
}

TEST_CASE("ring: a busy connection leaves room for others") {
    auto loop = make_loop();
    Server server(*loop);
    bool done = false;
    const auto flood = [](Listener& listener, bool& over) -> Task<> {
        Opened busy = co_await listener.accept();
        const std::string text = pattern(65536);
        while (!over) {
            if (co_await busy.socket.send(std::string_view(text)) != 0) {
                break;
            }
        }
    };
    const auto drain = [](Loop& l, Endpoint to, bool& over) -> Task<> {
        Opened opened = co_await l.connect(to);
        while (!over) {
            Received got = co_await opened.socket.receive();
            if (!got) {
                break;
            }
        }
    };
    loop->spawn(flood(server.listener, done));
    loop->spawn(drain(*loop, server.at, done));
    const auto test = [](Loop& l, bool& over) -> Task<> {
        for (int i = 0; i < 20; i++) {
            const int slept = co_await l.sleep(1ms);
            CHECK(slept == 0);
        }
        over = true;
    };
    run(*loop, test(*loop, done));
}
