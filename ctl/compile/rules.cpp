// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/rules.hpp"

#include <algorithm>
#include <tuple>

#include "ctl/compile/listeners.hpp"
#include "ctl/compile/rules_build.hpp"

namespace penstock::compile {

bool MatchRank::before(const MatchRank& other) const {
    return std::tuple(path_class, other.path_chars, other.method_chars, any_method, other.headers, other.queries) <
           std::tuple(other.path_class, path_chars, method_chars, other.any_method, headers, queries);
}

std::unique_ptr<fb::RuleT> new_rule(const model::Object& route, const std::string& kind, std::size_t index,
                                    const std::optional<std::string>& name, IdTaker& ids, RouteRules& out) {
    auto rule = std::make_unique<fb::RuleT>();
    rule->object = std::make_unique<fb::ObjectRefT>(ref_of(route));
    rule->index = static_cast<std::uint32_t>(index);
    rule->name = name.value_or("");
    out.ids.push_back(kind + "/" + route.key.ns + "/" + route.key.name + "/" + (rule->name.empty() ? std::to_string(index) : "=" + rule->name));
    // 2^24 rules at once are more than memory holds; without a number the rule shares counter 0.
    rule->id = ids.take(out.ids.back()).value_or(0);
    return rule;
}

namespace {

void note_annotations(const std::string& service, AnnotationFaults faults, AnnotationFaults& out) {
    const auto add = [&](std::vector<std::string>& from, std::vector<std::string>& to) {
        for (const std::string& text : from) {
            std::string told = "Service " + service + ": " + text;
            if (std::find(to.begin(), to.end(), told) == to.end()) {
                to.push_back(std::move(told));
            }
        }
    };
    add(faults.bad_values, out.bad_values);
    add(faults.unknown, out.unknown);
}

}  // namespace

std::string resolve_into(const Asker& asker, const model::BackendObjectRef& ref, const Backends& backends, RouteRules& out) {
    Resolved resolved = backends.resolve(asker, ref);
    out.services.push_back(ref.ns.value_or(std::string(asker.ns)) + "/" + ref.name);
    if (resolved.fault) {
        add_fault(out.unresolved, std::move(*resolved.fault));
    }
    if (!resolved.use) {
        return {};
    }
    note_annotations(resolved.use->ns + "/" + resolved.use->service, std::move(resolved.annotations), out.annotations);
    return out.sets.emplace(resolved.use->key, *resolved.use).first->first;
}

std::unique_ptr<fb::WeightedBackendT> weighted(const Asker& asker, const model::BackendRef& ref, const Backends& backends, RouteRules& out) {
    auto backend = std::make_unique<fb::WeightedBackendT>();
    backend->weight = static_cast<std::uint32_t>(ref.weight);
    backend->backends = resolve_into(asker, ref, backends, out);
    return backend;
}

void finish_rule(fb::RuleT& rule, const std::optional<Condition>& fault, RuleFaults& faults) {
    ++faults.rules;
    if (fault) {
        faults.faults.push_back(*fault);
        rule.filters.reset();
        rule.backends.clear();
    }
}

void finish_route(RouteRules& out, const RuleFaults& faults) {
    if (faults.faults.empty()) {
        return;
    }
    std::optional<Condition> all;
    for (const Condition& fault : faults.faults) {
        add_fault(all, fault);
    }
    if (faults.faults.size() == faults.rules) {
        out.refused = std::move(all);
        return;
    }
    out.partially_invalid = Condition{ConditionReason::RoutePartiallyInvalid_unsupported_value, "Dropped Rule: " + all->message + ". Requests to it are answered with 500"};
}

}  // namespace penstock::compile
