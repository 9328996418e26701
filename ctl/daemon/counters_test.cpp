// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/counters.hpp"

#include <memory>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

TEST_CASE("counters: threads are summed, every reason is there with its sentence") {
    const auto page = std::make_unique<StatsPage>();
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
    CHECK(listener_totals(page.get(), 7).connections == 9);
    CHECK(listener_totals(page.get(), 7 + kStatsListenersMax).connections == 9);
}

TEST_CASE("counters: no page and a page of another version are zeros") {
    const auto page = std::make_unique<StatsPage>();
    CHECK(usable_page(page.get(), sizeof(StatsPage)) == nullptr);
    page->magic = kStatsMagic;
    page->version = kStatsVersion;
    CHECK(usable_page(page.get(), sizeof(StatsPage)) == page.get());
    CHECK(usable_page(page.get(), 100) == nullptr);
    CHECK(usable_page(nullptr, 0) == nullptr);
    CHECK(reasons_json(nullptr).size() == kReasonCount);
    CHECK(worker_json(nullptr)["requests_total"] == 0);
    page->slots = 1'000'000;  // damaged: never read past the page
    CHECK(listener_totals(page.get(), 1).requests == 0);
}
