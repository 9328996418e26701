// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/policy_statuses.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace penstock::compile {
namespace {

using R = ConditionReason;

constexpr std::size_t kAncestorsMax = 16;

// Per "ns/service": the Gateways whose routes lead there by what can be TLS.
using Reach = std::map<std::string, std::set<std::size_t>>;

Reach reach_of(const Front& front, const CompiledRoutes& routes) {
    Reach reach;
    for (const auto& [key, route] : routes) {
        for (const Attachment& attachment : route->attachments) {
            const Listener& listener = front.listeners[attachment.listener];
            for (const auto& [name, use] : route->rules.sets) {
                if (BackendPolicies::speaks_tls(use, listener)) {
                    reach[use.ns + "/" + use.service].insert(listener.gateway);
                }
            }
        }
    }
    return reach;
}

bool has_port(const World& world, const std::string& ns, const model::PolicyTarget& target) {
    const Typed<model::Service> service = world.service(ns, target.name);
    return service && (!target.section_name || std::any_of(service.spec->ports.begin(), service.spec->ports.end(), [&](const model::ServicePort& port) {
                           return port.name == *target.section_name;
                       }));
}

// Of these targets of the policy, which a Gateway comes to.
Condition accepted(const World& world, const JudgedPolicy& policy, const std::vector<const model::PolicyTarget*>& targets, const BackendPolicies& policies) {
    std::string lost;
    std::size_t lost_count = 0;
    std::string missing;
    std::size_t missing_count = 0;
    for (const model::PolicyTarget* target : targets) {
        if (!has_port(world, policy.policy.ns(), *target)) {
            missing = "Service " + policy.policy.ns() + "/" + target->name + " has no port named " + target->section_name.value_or("");
            ++missing_count;
        } else if (const auto loss = policies.lost(policy, *target)) {
            lost = "BackendTLSPolicy " + policy.policy.ns() + "/" + loss->holder->policy.name() + " comes before it for Service " + target->name +
                   (target->section_name ? " port " + *target->section_name : "");
            ++lost_count;
        }
    }
    if (lost_count != 0 && lost_count + missing_count == targets.size()) {
        return {R::PolicyAccepted_conflicted, lost};
    }
    if (policy.refused) {
        return *policy.refused;
    }
    if (missing_count == targets.size()) {
        return {R::PolicyAccepted_target_not_found, missing};
    }
    return {R::PolicyAccepted_accepted, missing + (missing.empty() || lost.empty() ? "" : "; ") + lost};
}

}  // namespace

std::vector<std::pair<const model::Object*, PolicyStatus>> policy_statuses(const World& world, const Front& front,
                                                                          const CompiledRoutes& routes,
                                                                          const BackendPolicies& policies) {
    std::vector<std::pair<const model::Object*, PolicyStatus>> out;
    const Reach reach = policies.all().empty() ? Reach{} : reach_of(front, routes);
    for (const JudgedPolicy& policy : policies.all()) {
        std::map<std::size_t, std::vector<const model::PolicyTarget*>> by_gateway;
        for (const model::PolicyTarget& target : policy.policy.spec->target_refs) {
            const auto found = reach.find(policy.policy.ns() + "/" + target.name);
            if (!BackendPolicies::is_service(target) || found == reach.end()) {
                continue;
            }
            for (const std::size_t gateway : found->second) {
                by_gateway[gateway].push_back(&target);
            }
        }
        PolicyStatus status;
        for (const auto& [gateway, targets] : by_gateway) {
            if (status.ancestors.size() == kAncestorsMax) {
                break;
            }
            status.ancestors.push_back({front.gateways[gateway].object.object->key,
                                        {accepted(world, policy, targets, policies),
                                         policy.unresolved.value_or(Condition{R::PolicyResolvedRefs_resolved_refs, {}})}});
        }
        if (!status.ancestors.empty()) {
            out.emplace_back(policy.policy.object.get(), std::move(status));
        }
    }
    return out;
}

}  // namespace penstock::compile
