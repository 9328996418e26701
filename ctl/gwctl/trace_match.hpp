// SPDX-License-Identifier: Apache-2.0
// Why one match of a host takes a request or not, and why one comes before another. It asks the tables that the worker asks, one condition at
// a time; only the order of precedence is told again, from what a match shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/match/route_table.hpp"

namespace penstock::gwctl {

namespace fb = penstock::snapshot;

// What of the match does not hold: "path", "method POST", "header x-version", "query page"; "" if all does.
Result<std::string> failing_condition(const fb::MatchT& match, const match::Request& request);

// The step of the Gateway API's order by which `first` comes before `second`, of the same host: "exact path", "longer path", "method", ...
std::string precedence_step(const fb::HostRoutesT& host, const fb::MatchT& first, const fb::MatchT& second);

}  // namespace penstock::gwctl
