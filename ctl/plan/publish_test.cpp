// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/publish.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using keeper::ItemKind;

TEST_CASE("publish: sockets, keys and parts go before the root, drops the other way round") {
    const Items held = {{ItemKind::Socket, "tcp/old"}, {ItemKind::Key, "k-old"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Part, "host/b/1"}, {ItemKind::Root, "r1"}, {ItemKind::StatsPage, ""}};
    const Items wanted = {{ItemKind::Socket, "tcp/new"}, {ItemKind::Key, "k-new"}, {ItemKind::Part, "host/a/2"}, {ItemKind::Part, "host/b/1"}, {ItemKind::Root, "r2"}};
    const Publication plan = difference(held, wanted);
    CHECK(plan.puts == std::vector<Item>{{ItemKind::Socket, "tcp/new"}, {ItemKind::Key, "k-new"}, {ItemKind::Part, "host/a/2"}, {ItemKind::Root, "r2"}});
    CHECK(plan.drops == std::vector<Item>{{ItemKind::Root, "r1"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Key, "k-old"}, {ItemKind::Socket, "tcp/old"}});
}

TEST_CASE("publish: what is held is not put again") {
    const Items items = {{ItemKind::Socket, "tcp/x"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Root, "r"}};
    const Publication plan = difference(items, items);
    CHECK(plan.puts.empty());
    CHECK(plan.drops.empty());
    CHECK(needed({}, "r").empty());
}
