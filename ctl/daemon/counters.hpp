// SPDX-License-Identifier: Apache-2.0
// Counters of the worker as the control API shows them, summed over its threads. Reads the stats page while others write it: each number
// is right by itself, a sum may be a moment old. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "ctl/compile/snapshot.hpp"
#include "schema/stats_page.hpp"

namespace penstock::daemon {

// `page` may be null (no worker yet): all zeros. A page of another layout version counts as none.
const StatsPage* usable_page(const void* bytes, std::size_t size);

nlohmann::json reasons_json(const StatsPage* page);  // the list "reasons"
nlohmann::json worker_json(const StatsPage* page);   // the object "worker"

// What a listener has served: "connections", "requests", "bytes_in", ...
nlohmann::json listener_json(const StatsPage* page, std::uint32_t id);

// GET /v1/counters: all of it, under the names that `snapshot` has. Its root may be null.
nlohmann::json counters_json(const StatsPage* page, const compile::Snapshot& snapshot);

}  // namespace penstock::daemon
