// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/pool.hpp"

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

ring::Task<> settle(ring::Loop& loop) { co_await loop.sleep(20ms); }

}  // namespace

TEST_CASE("pool: the newest connection is used first, and only for its endpoint") {
    Backend backend([](Peer& peer) { peer.rest(); });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop);
        const BackendPlace place{backend.at(), nullptr};
        ring::Opened one = co_await loop.connect(backend.at());
        ring::Opened two = co_await loop.connect(backend.at());
        const int newest = two.socket.fd();
        pool.give(place, Stream(std::move(one.socket)), 10s, 4);
        pool.give(place, Stream(std::move(two.socket)), 10s, 4);
        CHECK(pool.size() == 2);
        CHECK_FALSE(pool.take({loopback(1), nullptr}).socket().open());
        Stream taken = pool.take(place);
        REQUIRE(taken.socket().open());
        CHECK(taken.socket().fd() == newest);
        CHECK(pool.size() == 1);
    });
}

TEST_CASE("pool: over the limit the oldest goes") {
    Backend backend([](Peer& peer) { peer.rest(); });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop);
        const BackendPlace place{backend.at(), nullptr};
        for (int i = 0; i < 5; ++i) {
            ring::Opened one = co_await loop.connect(backend.at());
            pool.give(place, Stream(std::move(one.socket)), 10s, 2);
        }
        CHECK(pool.size() == 2);
        ring::Opened one = co_await loop.connect(backend.at());
        Pool none(loop);
        none.give(place, Stream(std::move(one.socket)), 10s, 0);
        CHECK(none.size() == 0);
    });
}

TEST_CASE("pool: what a burst needed is kept whole, but not for long") {
    Backend backend([](Peer& peer) { peer.rest(); });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop, 100ms);
        const BackendPlace place{backend.at(), nullptr};
        std::vector<ring::Opened> burst;
        for (std::size_t i = 0; i < Pool::kLasting + 16; ++i) {
            burst.push_back(co_await loop.connect(backend.at()));
        }
        for (ring::Opened& one : burst) {
            pool.give(place, Stream(std::move(one.socket)), 60s, 1024);
        }
        CHECK(pool.size() == Pool::kLasting + 16);
        for (int i = 0; i < 500 && pool.size() != Pool::kLasting; ++i) {
            co_await settle(loop);
        }
        CHECK(pool.size() == Pool::kLasting);
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
        const BackendPlace place{backend.at(), nullptr};
        for (int i = 0; i < 3; ++i) {
            ring::Opened one = co_await loop.connect(backend.at());
            while (number <= i) {
                co_await settle(loop);
            }
            pool.give(place, Stream(std::move(one.socket)), 100ms, 4);
        }
        for (int i = 0; i < 200 && pool.size() != 0; ++i) {
            co_await settle(loop);
        }
        CHECK(pool.size() == 0);
        CHECK_FALSE(pool.take(place).socket().open());
    });
}

TEST_CASE("pool: connections to places that are no longer wanted go at once") {
    Backend backend([](Peer& peer) { peer.rest(); });
    on_loop([&](ring::Loop& loop) -> ring::Task<> {
        Pool pool(loop);
        const BackendPlace place{backend.at(), nullptr};
        ring::Opened one = co_await loop.connect(backend.at());
        pool.give(place, Stream(std::move(one.socket)), 10s, 4);
        pool.keep_only([&](const BackendPlace& kept) { return kept == place; });
        CHECK(pool.size() == 1);
        pool.keep_only([](const BackendPlace&) { return false; });
        CHECK(pool.size() == 0);
    });
}
