// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/counters.hpp"

#include <memory>

#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/zeroed.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

// A page as the keeper makes it: with holes, or a test would fill half a gigabyte.
Zeroed<StatsPage> make_page() {
    auto page = zeroed<StatsPage>();
    REQUIRE(page.ok());
    return std::move(*page);
}

std::unique_ptr<snapshot::ObjectRefT> object(const char* kind, const char* name) {
    auto made = std::make_unique<snapshot::ObjectRefT>();
    made->kind = kind;
    made->namespace_ = "shop";
    made->name = name;
    return made;
}

template <class Native>
std::shared_ptr<const std::string> bytes_of(const Native& native) {
    flatbuffers::FlatBufferBuilder builder;
    builder.Finish(Native::TableType::Pack(builder, &native));
    return std::make_shared<const std::string>(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
}

void add_part(compile::Snapshot& made, snapshot::PartKind kind, const char* key, std::shared_ptr<const std::string> bytes) {
    auto part = std::make_shared<compile::Part>();
    part->kind = kind;
    part->bytes = std::move(bytes);
    made.parts.set(snapshot::part_path(kind, key), std::move(part));
}

// One listener, one Service, and two hosts that share a rule.
compile::Snapshot make_snapshot() {
    snapshot::HostRoutesT host;
    host.hostname = "a";
    host.rules.push_back(std::make_unique<snapshot::RuleT>());
    host.rules[0]->object = object("HTTPRoute", "cart");
    host.rules[0]->index = 3;
    host.rules[0]->id = 11;
    snapshot::BackendSetT set;
    set.object = object("Service", "web");
    set.port = 8080;
    set.id = 5;
    snapshot::RootT root;
    root.listeners.push_back(std::make_unique<snapshot::ListenerT>());
    root.listeners[0]->name = "Gateway/shop/edge/http";
    root.listeners[0]->object = object("Gateway", "edge");
    root.listeners[0]->id = 7;
    compile::Snapshot made;
    for (const char* key : {"one", "two"}) {
        add_part(made, snapshot::PartKind::Host, key, bytes_of(host));
    }
    add_part(made, snapshot::PartKind::Backends, "web", bytes_of(set));
    made.root = bytes_of(root);
    return made;
}

}  // namespace

TEST_CASE("counters: threads are summed, every reason is there with its sentence") {
    const auto page = make_page();
    page->magic = kStatsMagic;
    page->version = kStatsVersion;
    page->slots = 2;
    count(page->slot[0].reasons[static_cast<std::size_t>(Reason::no_route)], 3);
    count(page->slot[1].reasons[static_cast<std::size_t>(Reason::no_route)], 4);
    count(page->slot[2].reasons[static_cast<std::size_t>(Reason::no_route)], 100);  // no thread has this slot
    count(page->slot[1].requests_total, 5);
    count(page->slot[1].status_class[4], 2);
    count(page->slot[0].listeners[7].connections, 9);

    const auto reasons = reasons_json(page.get());
    CHECK(reasons.size() == kReasonCount);
    for (const auto& reason : reasons) {
        CHECK(reason["count"] == (reason["name"] == "no_route" ? 7 : 0));
        CHECK_FALSE(reason["text"].get<std::string>().empty());
    }
    const auto worker = worker_json(page.get());
    CHECK(worker["requests_total"] == 5);
    CHECK(worker["status_class"] == nlohmann::json::array({0, 0, 0, 0, 2, 0}));
    CHECK(listener_json(page.get(), 7)["connections"] == 9);
    CHECK(listener_json(page.get(), 7 + kStatsListenersMax)["connections"] == 9);
}

TEST_CASE("counters: no page and a page of another version are zeros") {
    const auto page = make_page();
    CHECK(usable_page(page.get(), sizeof(StatsPage)) == nullptr);
    page->magic = kStatsMagic;
    page->version = kStatsVersion;
    CHECK(usable_page(page.get(), sizeof(StatsPage)) == page.get());
    CHECK(usable_page(page.get(), 100) == nullptr);
    CHECK(usable_page(nullptr, 0) == nullptr);
    CHECK(reasons_json(nullptr).size() == kReasonCount);
    CHECK(worker_json(nullptr)["requests_total"] == 0);
    page->slots = 1'000'000;  // damaged: never read past the page
    CHECK(listener_json(page.get(), 1)["requests"] == 0);
}

TEST_CASE("counters: a duration's bucket ends above it, the one before does not") {
    for (const std::uint64_t us : {0ULL, 1ULL, 63ULL, 64ULL, 95ULL, 96ULL, 127ULL, 128ULL, 1000ULL, 65'535ULL, 1'000'000ULL, 67'108'863ULL, 67'108'864ULL, 1ULL << 40}) {
        INFO(us);
        const std::size_t bucket = duration_bucket(us);
        REQUIRE(bucket < kDurationBuckets);
        CHECK((duration_bucket_end_us(bucket) > us || bucket + 1 == kDurationBuckets));
        CHECK((bucket == 0 || duration_bucket_end_us(bucket - 1) <= us));
    }
    CHECK(duration_bucket_end_us(kDurationBuckets - 2) == 1ULL << 26);
}

TEST_CASE("counters: listeners, rules and services are listed once each, by their names") {
    const auto page = make_page();
    page->magic = kStatsMagic;
    page->version = kStatsVersion;
    page->slots = 2;
    count(page->slot[0].rules[11].status_class[2], 2);
    count(page->slot[1].rules[11].status_class[2], 1);
    count(page->slot[1].rules[11].durations, 100);
    count(page->slot[1].sets[5].connect_failures, 4);
    count(page->slot[0].listeners[7].tls_resumed, 6);
    const auto all = counters_json(page.get(), make_snapshot());
    REQUIRE(all["listeners"].size() == 1);
    CHECK(all["listeners"][0]["name"] == "Gateway/shop/edge/http");
    CHECK(all["listeners"][0]["tls_resumed"] == 6);
    REQUIRE(all["rules"].size() == 1);
    CHECK(all["rules"][0]["object"] == nlohmann::json({{"kind", "HTTPRoute"}, {"namespace", "shop"}, {"name", "cart"}}));
    CHECK(all["rules"][0]["rule"] == 3);
    CHECK(all["rules"][0]["status_class"] == nlohmann::json::array({0, 0, 3, 0, 0, 0}));
    CHECK(all["rules"][0]["durations"]["sum_us"] == 100);
    CHECK(all["rules"][0]["durations"]["buckets"][2] == 1);
    CHECK(all["bucket_ends_us"].size() + 1 == all["rules"][0]["durations"]["buckets"].size());
    REQUIRE(all["services"].size() == 1);
    CHECK(all["services"][0]["port"] == 8080);
    CHECK(all["services"][0]["connect_failures"] == 4);
    CHECK(counters_json(nullptr, {})["rules"].empty());
}
