// SPDX-License-Identifier: Apache-2.0
// Counters of the worker as the control API shows them, summed over its threads. Reads the stats page while others write it: each number
// is right by itself, a sum may be a moment old. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "schema/stats_page.hpp"

namespace penstock::daemon {

// `page` may be null (no worker yet): all zeros. A page of another layout version counts as none.
const StatsPage* usable_page(const void* bytes, std::size_t size);

nlohmann::json reasons_json(const StatsPage* page);  // the list "reasons"
nlohmann::json worker_json(const StatsPage* page);   // the object "worker"

struct ListenerTotals {
    std::uint64_t connections = 0;
    std::uint64_t requests = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};
ListenerTotals listener_totals(const StatsPage* page, std::uint32_t id);

}  // namespace penstock::daemon
