// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/newest_tables.hpp"

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {

constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::shared_ptr<const Tables> tables_for(const Endpoint& endpoint) {
    auto built = http_snapshot({endpoint}).build();
    REQUIRE(built.ok());
    return built->tables;
}

std::string asked(Peer& client) {
    client.send(kGet);
    return client.message().body;
}

}  // namespace

TEST_CASE("newest_tables: what begins is served by them, although its thread was not told yet") {
    NewestTables newest;
    Backend one(always("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"));
    Backend two(always("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"));
    Edge edge(ring_kind(), http_snapshot({one.at()}));
    edge.on_thread([&](Context& context) { context.newest = &newest; });
    Peer kept = edge.client();
    CHECK(asked(kept) == "one");  // there are none: the thread's own are served
    newest.set(tables_for(two.at()));
    CHECK(asked(kept) == "two");
    Peer fresh = edge.client();
    CHECK(asked(fresh) == "two");
    newest.set(tables_for(one.at()));
    Peer third = edge.client();
    CHECK(asked(third) == "one");
    CHECK(asked(kept) == "one");
}

TEST_CASE("newest_tables: they are given to who has others") {
    NewestTables newest;
    CHECK(newest.other_than(nullptr) == nullptr);
    const auto tables = std::make_shared<const Tables>();
    newest.set(tables);
    CHECK(newest.other_than(nullptr) == tables);
    CHECK(newest.other_than(tables.get()) == nullptr);
}
