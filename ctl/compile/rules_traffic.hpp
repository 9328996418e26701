// SPDX-License-Identifier: Apache-2.0
// What a rule of an HTTPRoute or GRPCRoute says beyond matches, filters and backends: timeouts, retries, persistence of sessions.
#pragma once

#include <optional>
#include <string>

#include "ctl/compile/conditions.hpp"
#include "ctl/compile/parts.hpp"
#include "ctl/model/objects_route.hpp"

namespace penstock::compile {

// Adds to `fault` what of it cannot be. `at` is the rule's place, "spec.rules[0]". `identity` names the rule over edits: a cookie that has no name of its own gets one from it, so that rules do not share sessions.
void set_traffic(fb::RuleT& out, const model::HttpRule& rule, const std::string& identity, const std::string& at, std::optional<Condition>& fault);
void set_traffic(fb::RuleT& out, const model::GrpcRule& rule, const std::string& identity, const std::string& at, std::optional<Condition>& fault);

}  // namespace penstock::compile
