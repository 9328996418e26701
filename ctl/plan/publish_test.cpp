// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/publish.hpp"

#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::plan;
using keeper::ItemKind;

namespace {

// Parts as "host/KEY" with a digest, and the names of sockets and keys.
compile::Snapshot snapshot_of(const std::vector<std::pair<std::string, std::string>>& parts, const std::vector<std::string>& sockets, const std::vector<std::string>& keys) {
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
    for (const auto& [path, digest] : parts) {
        auto part = std::make_shared<compile::Part>();
        part->name = path + "/" + digest;
        made.parts.set(path, std::move(part));
    }
    for (const std::string& key : keys) {
        made.keys.emplace(key, nullptr);
    }
    return made;
}

}  // namespace

TEST_CASE("publish: sockets, keys and parts go before the root, drops the other way round") {
    const Items held = {{ItemKind::Socket, "tcp/old"}, {ItemKind::Key, "k-old"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Part, "host/b/1"}, {ItemKind::Root, "r1"}, {ItemKind::StatsPage, ""}};
    const auto wanted = snapshot_of({{"host/a", "2"}, {"host/b", "1"}}, {"tcp/new"}, {"k-new"});
    CHECK(puts(held, {}, wanted, "r2") == std::vector<Item>{{ItemKind::Socket, "tcp/new"}, {ItemKind::Key, "k-new"}, {ItemKind::Part, "host/a/2"}, {ItemKind::Root, "r2"}});
    CHECK(idle_parts(held, wanted) == std::set<std::string>{"host/a/1"});
    CHECK(drops(held, idle_parts(held, wanted), wanted, "r2") ==
          std::vector<Item>{{ItemKind::Root, "r1"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Key, "k-old"}, {ItemKind::Socket, "tcp/old"}});
}

TEST_CASE("publish: lists of parts go as parts do, between these and the root") {
    const auto with_list = [](const char* part, const char* list) {
        compile::Snapshot made = snapshot_of({{"host/a", part}}, {}, {});
        auto named = std::make_shared<compile::Part>();
        named->name = std::string("list/host/a/") + list;
        made.lists.set("list/host/a", std::move(named));
        return made;
    };
    const auto one = with_list("1", "1");
    const auto two = with_list("2", "2");
    const Items held = {{ItemKind::Part, "host/a/1"}, {ItemKind::Part, "list/host/a/1"}, {ItemKind::Root, "r1"}};
    CHECK(puts(held, one, two, "r2") == std::vector<Item>{{ItemKind::Part, "host/a/2"}, {ItemKind::Part, "list/host/a/2"}, {ItemKind::Root, "r2"}});
    CHECK(puts(held, one, with_list("1", "1"), "r1").empty());
    std::set<std::string> idle;
    note_idle(one, two, idle);
    CHECK(idle == std::set<std::string>{"host/a/1", "list/host/a/1"});
    CHECK(idle_parts(held, two) == idle);
    CHECK(drops(held, idle, two, "r2") == std::vector<Item>{{ItemKind::Root, "r1"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Part, "list/host/a/1"}});
    CHECK(drops(held, idle, one, "r1").empty());  // needed again
}

TEST_CASE("publish: what is held is not put again") {
    const Items items = {{ItemKind::Socket, "tcp/x"}, {ItemKind::Part, "host/a/1"}, {ItemKind::Root, "r"}};
    const auto wanted = snapshot_of({{"host/a", "1"}}, {"tcp/x"}, {});
    CHECK(puts(items, {}, wanted, "r").empty());
    CHECK(puts(items, wanted, wanted, "r").empty());
    CHECK(drops(items, idle_parts(items, wanted), wanted, "r").empty());
    CHECK(puts(items, {}, {}, "r").empty());
}

TEST_CASE("publish: a part that is needed again is neither put nor dropped") {
    const auto one = snapshot_of({{"host/a", "1"}, {"host/b", "1"}}, {}, {});
    const auto two = snapshot_of({{"host/a", "2"}}, {}, {});
    Items held = {{ItemKind::Part, "host/a/1"}, {ItemKind::Part, "host/b/1"}, {ItemKind::Root, "r1"}};
    CHECK(puts(held, one, two, "r2") == std::vector<Item>{{ItemKind::Part, "host/a/2"}, {ItemKind::Root, "r2"}});
    std::set<std::string> idle;
    note_idle(one, two, idle);
    CHECK(idle == std::set<std::string>{"host/a/1", "host/b/1"});
    held.insert({{ItemKind::Part, "host/a/2"}, {ItemKind::Root, "r2"}});
    // Back to the first before anything was dropped.
    CHECK(puts(held, two, one, "r3") == std::vector<Item>{{ItemKind::Root, "r3"}});
    note_idle(two, one, idle);
    held.insert({ItemKind::Root, "r3"});
    CHECK(drops(held, idle, one, "r3") == std::vector<Item>{{ItemKind::Root, "r1"}, {ItemKind::Root, "r2"}, {ItemKind::Part, "host/a/2"}});
}
