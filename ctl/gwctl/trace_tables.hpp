// SPDX-License-Identifier: Apache-2.0
// One request on the tables that the worker has: which listener hears it, each match that its path fits, the step of precedence that
// decided, filters, backends with their shares. Pure; what is found is found by the worker's own tables (userspace/match).
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ctl/gwctl/trace_request.hpp"
#include "schema/snapshot_generated.h"

namespace penstock::gwctl {

struct TraceTables {
    std::string root;  // empty: nothing is served
    std::map<std::string, std::string_view> parts;  // by "kind/key"; hosts and backends
};

// {"request": {...}, "ports": [{"socket": ..., "listener": ..., "candidates": [...], "decided_by": ..., "rule": ..., "filters": ..., "backends": [...],
// "answer": ...}]}: one for each address that listens on the request's port. "answer": what the worker answers itself; absent if a backend does.
Result<nlohmann::json> trace(const TraceTables& tables, const TraceRequest& request);

// The same for people.
std::string trace_text(const nlohmann::json& traced);
// Whether a backend, or a redirect that was asked for, answers on every port.
bool is_served(const nlohmann::json& traced);

}  // namespace penstock::gwctl
