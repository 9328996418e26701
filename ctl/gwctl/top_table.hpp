// SPDX-License-Identifier: Apache-2.0
// What two answers of GET /v1/counters come to: rates by listener, route and Service, and how long requests took between them. Pure.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::gwctl {

// {"seconds": 1.0, "requests": 8000.0, ..., "listeners": [...], "routes": [...], "services": [...], "refused": [...]}: per second, and microseconds
// that half and 99 in 100 requests took no longer than (null: there were none). Sorted: the busiest first, then by name. What has done nothing
// is left out of routes, services and refused.
nlohmann::json rates_of(const nlohmann::json& before, const nlohmann::json& after);

// The same for people; of each list the first `rows_max`.
std::string rates_text(const nlohmann::json& rates, std::size_t rows_max);

}  // namespace penstock::gwctl
