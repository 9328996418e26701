// SPDX-License-Identifier: Apache-2.0
// What the rules of all route kinds have in common: identity, weighted backends, and what becomes of faults.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ctl/compile/rules.hpp"

namespace penstock::compile {

struct RuleFaults {
    std::size_t rules = 0;
    std::vector<Condition> faults;  // one per rule that has one
};

// A rule's identity is its name if it has one, else its index: so its counters survive a rule that is put before it.
[[nodiscard]] std::unique_ptr<fb::RuleT> new_rule(const model::Object& route, const std::string& kind, std::size_t index,
                                                  const std::optional<std::string>& name, IdTaker& ids, RouteRules& out);

// The key of the set that a reference leads to, "" if it does not resolve; set or fault are noted in `out`.
[[nodiscard]] std::string resolve_into(const Asker& asker, const model::BackendObjectRef& ref, const Backends& backends, RouteRules& out);

// A backendRef with its weight; unresolved ones keep it, and the first reason is noted in `out`.
[[nodiscard]] std::unique_ptr<fb::WeightedBackendT> weighted(const Asker& asker, const model::BackendRef& ref, const Backends& backends, RouteRules& out);

// A faulty rule keeps its matches and answers 500.
void finish_rule(fb::RuleT& rule, const std::optional<Condition>& fault, RuleFaults& faults);
// All rules faulty: the route is refused. Some: it is partially invalid.
void finish_route(RouteRules& out, const RuleFaults& faults);

}  // namespace penstock::compile
