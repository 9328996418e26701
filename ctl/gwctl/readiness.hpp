// SPDX-License-Identifier: Apache-2.0
// Whether a node serves, by its daemon's own word. Pure. What routes say of themselves is not asked: an author's mistake must not take a node out of service, nor stop
// a rollout. An API server that goes away later changes nothing either.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace penstock::gwctl {

// Why not, of the answer to GET /v1/status; "" if it is ready: the cluster, if one is followed, was read once, and a worker serves what came of it.
std::string why_not_ready(const nlohmann::json& status);

}  // namespace penstock::gwctl
