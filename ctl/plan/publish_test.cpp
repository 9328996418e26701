// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/publish.hpp"

#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using keeper::ItemKind;

namespace {

// Lists by key with a digest, and the names of sockets and keys.
compile::Snapshot snapshot_of(const std::vector<std::pair<std::string, std::string>>& lists, const std::vector<std::string>& sockets, const std::vector<std::string>& keys) {
    penstock::snapshot::RootT root;
    for (const std::string& socket : sockets) {
        root.ports.push_back(std::make_unique<penstock::snapshot::PortT>());
        root.ports.back()->address = std::make_unique<penstock::snapshot::Address>();
        root.ports.back()->socket = socket;
    }
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(penstock::snapshot::CreateRoot(builder, &root));
    compile::Snapshot made;
    made.root = std::make_shared<const std::string>(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
    for (const auto& [key, digest] : lists) {
        made.lists.set(key, std::make_shared<const compile::List>(compile::List{.key = key, .digest = digest, .parts = nullptr}));
    }
    for (const std::string& key : keys) {
        made.keys.emplace(key, nullptr);
    }
    return made;
}

}  // namespace

TEST_CASE("publish: sockets, keys and lists of parts go before the root, drops the other way round") {
    const Items held = {{ItemKind::Socket, "tcp/old"}, {ItemKind::Key, "k-old"}, {ItemKind::Parts, "list/host/a/1"}, {ItemKind::Parts, "list/host/b/1"}, {ItemKind::Root, "r1"}, {ItemKind::StatsPage, ""}};
    const auto wanted = snapshot_of({{"host/a", "2"}, {"host/b", "1"}}, {"tcp/new"}, {"k-new"});
    CHECK(puts(held, {}, wanted, "r2") == std::vector<Item>{{ItemKind::Socket, "tcp/new"}, {ItemKind::Key, "k-new"}, {ItemKind::Parts, "list/host/a/2"}, {ItemKind::Root, "r2"}});
    CHECK(idle_lists(held, wanted) == std::set<std::string>{"list/host/a/1"});
    CHECK(drops(held, idle_lists(held, wanted), wanted, "r2") ==
          std::vector<Item>{{ItemKind::Root, "r1"}, {ItemKind::Parts, "list/host/a/1"}, {ItemKind::Key, "k-old"}, {ItemKind::Socket, "tcp/old"}});
}

TEST_CASE("publish: what is held is not put again") {
    const Items items = {{ItemKind::Socket, "tcp/x"}, {ItemKind::Parts, "list/host/a/1"}, {ItemKind::Root, "r"}};
    const auto wanted = snapshot_of({{"host/a", "1"}}, {"tcp/x"}, {});
    CHECK(puts(items, {}, wanted, "r").empty());
    CHECK(puts(items, wanted, wanted, "r").empty());
    CHECK(drops(items, idle_lists(items, wanted), wanted, "r").empty());
    CHECK(puts(items, {}, {}, "r").empty());
}

TEST_CASE("publish: a list that is needed again is neither put nor dropped") {
    const auto one = snapshot_of({{"host/a", "1"}, {"host/b", "1"}}, {}, {});
    const auto two = snapshot_of({{"host/a", "2"}}, {}, {});
    Items held = {{ItemKind::Parts, "list/host/a/1"}, {ItemKind::Parts, "list/host/b/1"}, {ItemKind::Root, "r1"}};
    CHECK(puts(held, one, two, "r2") == std::vector<Item>{{ItemKind::Parts, "list/host/a/2"}, {ItemKind::Root, "r2"}});
    std::set<std::string> idle;
    note_idle(one, two, idle);
    CHECK(idle == std::set<std::string>{"list/host/a/1", "list/host/b/1"});
    CHECK(idle_lists(held, two) == idle);
    held.insert({{ItemKind::Parts, "list/host/a/2"}, {ItemKind::Root, "r2"}});
    // Back to the first before anything was dropped.
    CHECK(puts(held, two, one, "r3") == std::vector<Item>{{ItemKind::Root, "r3"}});
    note_idle(two, one, idle);
    held.insert({ItemKind::Root, "r3"});
    CHECK(drops(held, idle, one, "r3") == std::vector<Item>{{ItemKind::Root, "r1"}, {ItemKind::Root, "r2"}, {ItemKind::Parts, "list/host/a/2"}});
}
