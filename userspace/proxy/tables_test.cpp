// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tables.hpp"

#include <random>

#include "userspace/proxy/testing.hpp"

using namespace penstock;
using namespace penstock::proxy;
using namespace penstock::proxy::testing;

namespace {
const Endpoint kOne{IpAddress::v4(0x0a000001), 80};
const Endpoint kTwo{IpAddress::v4(0x0a000002), 80};

const Host& host_of(const Tables& tables) { return **tables.listeners[0]->hosts.find("any"); }
const BackendSet& set_of(const Tables& tables) { return *host_of(tables).rules[0].backends[0].set; }
}  // namespace

TEST_CASE("tables: parts that did not change are the same objects in the next tables") {
    Snapshot snapshot = http_snapshot({kOne});
    const auto first = snapshot.build();
    REQUIRE(first.ok());
    snapshot.root.generation = 2;
    snapshot.backends("web", {kOne, kTwo});
    const auto second = snapshot.build(first->tables.get());
    REQUIRE(second.ok());
    CHECK(second->tables->generation == 2);
    CHECK(host_of(*first->tables).table == host_of(*second->tables).table);
    CHECK(set_of(*first->tables).ready.size() == 1);
    CHECK(set_of(*second->tables).ready.size() == 2);
}

TEST_CASE("tables: a part that cannot be used keeps its last good version, is named, and is tried again") {
    Snapshot snapshot = http_snapshot({kOne});
    const auto good = snapshot.build();
    REQUIRE(good.ok());
    Snapshot bad = http_snapshot({kOne});
    bad.bytes_part(fb::PartKind::Backends, "web", "no FlatBuffer at all");
    const auto kept = bad.build(good->tables.get());
    REQUIRE(kept.ok());
    REQUIRE(kept->failed.size() == 1);
    CHECK(kept->failed[0].part.starts_with("backends/web/"));
    CHECK(set_of(*kept->tables).ready.size() == 1);
    const auto again = bad.build(kept->tables.get());
    REQUIRE(again.ok());
    CHECK(again->failed.size() == 1);
    CHECK(set_of(*again->tables).ready.size() == 1);
    Snapshot mended = http_snapshot({kOne, kTwo});
    const auto fine = mended.build(again->tables.get());
    REQUIRE(fine.ok());
    CHECK(fine->failed.empty());
    CHECK(set_of(*fine->tables).ready.size() == 2);
}

TEST_CASE("tables: a part that never was good leaves its users without it and nobody else") {
    Snapshot snapshot = http_snapshot({kOne});
    snapshot.bytes_part(fb::PartKind::Host, "broken", "junk");
    snapshot.attach(0, "broken.example", "broken");
    RuleSpec regex;
    regex.path = "(((";
    regex.kind = fb::PathMatch::Regex;
    snapshot.host("regex", {regex});
    const auto built = snapshot.build();
    REQUIRE(built.ok());
    REQUIRE(built->failed.size() == 2);
    CHECK(built->failed[1].reason.find("(((") != std::string::npos);
    CHECK(set_of(*built->tables).ready.size() == 1);
}

TEST_CASE("tables: a ticket key that cannot be used leaves the process its one object of keys") {
    Snapshot snapshot = http_snapshot({});
    const auto first = snapshot.build();
    REQUIRE(first.ok());
    REQUIRE(first->tables->tickets != nullptr);
    snapshot.root.ticket_keys = {"tickets/gone"};
    const auto second = snapshot.build(first->tables.get());
    REQUIRE(second.ok());
    REQUIRE(second->failed.size() == 1);
    CHECK(second->failed[0].part == "ticket keys");
    CHECK(second->tables->tickets == first->tables->tickets);
}

TEST_CASE("tables: draining endpoints get nothing new") {
    Snapshot snapshot = http_snapshot({kOne});
    fb::BackendSetT set;
    set.object = object("Service", "web");
    for (const auto state : {fb::EndpointState::Draining, fb::EndpointState::Ready}) {
        set.endpoints.push_back(std::make_unique<fb::BackendEndpointT>());
        set.endpoints.back()->address = address(kTwo.address);
        set.endpoints.back()->port = state == fb::EndpointState::Ready ? 1 : 2;
        set.endpoints.back()->state = state;
    }
    snapshot.part(fb::PartKind::Backends, "web", set);
    const auto built = snapshot.build();
    REQUIRE(built.ok());
    REQUIRE(set_of(*built->tables).ready.size() == 1);
    CHECK(set_of(*built->tables).ready[0].address.port == 1);
}

TEST_CASE("tables: a root that cannot be used is refused") {
    Snapshot snapshot = http_snapshot({kOne});
    snapshot.root.abi = 99;
    CHECK(snapshot.build().error().code == Errc::unsupported);
    snapshot.root.abi = 0;  // one that does not say: FlatBuffers leaves out what is 0
    CHECK(snapshot.build().error().code == Errc::unsupported);
    snapshot.root.abi = fb::kAbi;
    snapshot.root.ports[0]->listeners = {7};
    const auto dangling = snapshot.build();
    REQUIRE_FALSE(dangling.ok());
    CHECK(dangling.error().message().find("listener 7") != std::string::npos);
    CHECK_FALSE(build_tables({}, snapshot.storage(), nullptr).ok());
}

TEST_CASE("tables: damaged bytes are refused or harmless, wherever they are damaged") {
    Snapshot snapshot = http_snapshot({kOne, kTwo});
    const std::string root = snapshot.root_bytes();
    const unsigned seed = std::random_device()();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 3000; ++i) {
        Snapshot damaged = http_snapshot({kOne, kTwo});
        std::string bytes = root;
        auto damage = [&](std::string& text) {
            text[random() % text.size()] = static_cast<char>(random());
            if (random() % 8 == 0) {
                text.resize(random() % text.size() + 1);
            }
        };
        damage(bytes);
        static_cast<void>(damaged.root_bytes());  // makes the lists
        for (auto& [name, list] : damaged.lists) {
            if (random() % 2 == 0) {
                damage(list);
            }
        }
        static_cast<void>(build_tables({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, damaged.storage(), nullptr));
        static_cast<void>(build_tables({reinterpret_cast<const std::uint8_t*>(root.data()), root.size()}, damaged.storage(), nullptr));
    }
}
