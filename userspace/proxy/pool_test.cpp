// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/pool.hpp"

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

// Runs `what` as a task on a loop of its own, to the end.
void on_loop(const std::function<ring::Task<>(ring::Loop&)>& what) {
    ring::Options options;
    options.kind = ring_kind();
    auto loop = ring::Loop::create(options);
    REQUIRE(loop.ok());
    const auto then_stop = [](ring::Loop& on, ring::Task<> task) -> ring::Task<> {
        co_await std::move(task);
        on.stop();
    };
    (*loop)->spawn(then_stop(**loop, what(**loop)));
    CHECK((*loop)->run() == 0);
}

ring::Task<> settle(ring::Loop& loop) { co_await loop.sleep(20ms); }

}  // namespace

TEST_CASE("pool: the newest connection is used first, and only for its endpoint") {
    Backend backend([](Peer& peer) { peer.rest(); });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop);
        ring::Opened one = co_await loop.connect(backend.at());
        ring::Opened two = co_await loop.connect(backend.at());
        const int newest = two.socket.fd();
        pool.give(backend.at(), std::move(one.socket), 10s, 4);
        pool.give(backend.at(), std::move(two.socket), 10s, 4);
        CHECK(pool.size() == 2);
        CHECK_FALSE(pool.take(loopback(1)).open());
        const ring::Socket taken = pool.take(backend.at());
        REQUIRE(taken.open());
        CHECK(taken.fd() == newest);
        CHECK(pool.size() == 1);
    });
}

TEST_CASE("pool: over the limit the oldest goes") {
    Backend backend([](Peer& peer) { peer.rest(); });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop);
        for (int i = 0; i < 5; ++i) {
            ring::Opened one = co_await loop.connect(backend.at());
            pool.give(backend.at(), std::move(one.socket), 10s, 2);
        }
        CHECK(pool.size() == 2);
        ring::Opened one = co_await loop.connect(backend.at());
        Pool none(loop);
        none.give(backend.at(), std::move(one.socket), 10s, 0);
        CHECK(none.size() == 0);
    });
}

TEST_CASE("pool: what idles too long, is closed or speaks out of turn is forgotten") {
    std::atomic<int> number = 0;
    Backend backend([&](Peer& peer) {
        switch (number++) {
            case 0: peer.rest(); break;        // idles
            case 1: break;                     // closes
            default: peer.send("x"); peer.rest();  // speaks
        }
    });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop);
        for (int i = 0; i < 3; ++i) {
            ring::Opened one = co_await loop.connect(backend.at());
            while (number <= i) {
                co_await settle(loop);
            }
            pool.give(backend.at(), std::move(one.socket), 100ms, 4);
        }
        for (int i = 0; i < 200 && pool.size() != 0; ++i) {
            co_await settle(loop);
        }
        CHECK(pool.size() == 0);
        CHECK_FALSE(pool.take(backend.at()).open());
    });
}
