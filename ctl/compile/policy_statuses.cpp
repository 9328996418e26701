// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/policy_statuses.hpp"

#include <algorithm>
#include <utility>

namespace penstock::compile {
namespace {

using R = ConditionReason;

constexpr std::size_t kAncestorsMax = 16;

void count(const Front& front, const CompiledRoute& route, std::int64_t by, std::map<std::string, std::map<std::size_t, std::int64_t>>& counts) {
    for (const Attachment& attachment : route.attachments) {
        const Listener& listener = front.listeners[attachment.listener];
        for (const auto& [name, use] : route.rules.sets) {
            if (BackendPolicies::speaks_tls(use, listener)) {
                counts[use.ns + "/" + use.service][listener.gateway] += by;
            }
        }
    }
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

bool edit_reach(const Front& front, const std::vector<RouteEdit>& edits, Reach& reach) {
    std::map<std::string, std::map<std::size_t, std::int64_t>> counts;
    for (const RouteEdit& edit : edits) {
        if (edit.before) {
            count(front, *edit.before, -1, counts);
        }
        if (edit.after) {
            count(front, *edit.after, 1, counts);
        }
    }
    bool moved = false;
    for (const auto& [service, by_gateway] : counts) {
        const auto* before = reach.get(service);
        auto gateways = before != nullptr ? *before : Reach::value_type::second_type{};
        for (const auto& [gateway, by] : by_gateway) {
            std::uint32_t& places = gateways[gateway];
            const bool reached = places != 0;
            places = static_cast<std::uint32_t>(places + by);
            moved = moved || reached != (places != 0);
            if (places == 0) {
                gateways.erase(gateway);
            }
        }
        if (gateways.empty()) {
            reach.erase(service);
        } else if (before == nullptr || *before != gateways) {
            reach.set(service, std::move(gateways));
        }
    }
    return moved;
}

std::vector<PolicyStatus> policy_statuses(const World& world, const Front& front, const Reach& reach, const BackendPolicies& policies) {
    std::vector<PolicyStatus> out;
    for (const JudgedPolicy& policy : policies.all()) {
        std::map<std::size_t, std::vector<const model::PolicyTarget*>> by_gateway;
        for (const model::PolicyTarget& target : policy.policy.spec->target_refs) {
            const auto* gateways = BackendPolicies::is_service(target) ? reach.get(policy.policy.ns() + "/" + target.name) : nullptr;
            if (gateways == nullptr) {
                continue;
            }
            for (const auto& [gateway, places] : *gateways) {
                by_gateway[gateway].push_back(&target);
            }
        }
        PolicyStatus& status = out.emplace_back();
        for (const auto& [gateway, targets] : by_gateway) {
            if (status.ancestors.size() == kAncestorsMax) {
                break;
            }
            status.ancestors.push_back({front.gateways[gateway].object.object->key,
                                        {accepted(world, policy, targets, policies),
                                         policy.unresolved.value_or(Condition{R::PolicyResolvedRefs_resolved_refs, {}})}});
        }
    }
    return out;
}

}  // namespace penstock::compile
