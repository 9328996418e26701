// SPDX-License-Identifier: Apache-2.0
// BackendTLSPolicies: which of them holds for a Service port, whether it can be kept, and how a set is spoken to because of it.
// A port that a policy covers is never spoken to in plain text: if the policy cannot be kept, not at all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/compile/backends.hpp"
#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// A policy as it stands by itself.
struct JudgedPolicy {
    Typed<model::BackendTlsPolicy> policy;
    std::optional<Condition> refused;     // Accepted=False
    std::optional<Condition> unresolved;  // ResolvedRefs=False
    std::string trust;                    // key of its Trust part
    fb::TrustBundleT bundle;
};

// One target of a policy that another policy holds.
struct LostTarget {
    const model::PolicyTarget* target;
    const JudgedPolicy* holder;
};

class BackendPolicies {
public:
    BackendPolicies() = default;  // none
    BackendPolicies(const World& world, Material& material);

    [[nodiscard]] static bool is_service(const model::PolicyTarget& target);
    // Whether we speak for ourselves to the set, and so can speak TLS; else bytes pass through as they are.
    [[nodiscard]] static bool speaks_tls(const SetUse& use, const Listener& listener);

    // The policy for a port: one that names the port before one for the whole Service, of equals the oldest. Null if there is none.
    [[nodiscard]] const JudgedPolicy* of(const SetUse& use) const;

    // How a listener's routes get at a set. Nothing: they must not.
    [[nodiscard]] std::optional<ServedSet> on(const SetUse& use, const Listener& listener, const Front& front) const;

    // Whether the policy is the one for this target of its own.
    [[nodiscard]] std::optional<LostTarget> lost(const JudgedPolicy& policy, const model::PolicyTarget& target) const;

    // Without a policy every set is what its use says.
    [[nodiscard]] bool none() const { return holders_.empty(); }
    [[nodiscard]] const std::vector<JudgedPolicy>& all() const { return policies_; }  // oldest first

    // Equal texts mean that on() gives the same for the same routes, Gateways, policies and Services.
    [[nodiscard]] std::string fingerprint(const Front& front) const;

private:
    std::vector<JudgedPolicy> policies_;
    std::map<std::string, std::size_t> holders_;  // by "ns/service/port name": index into policies_
};

}  // namespace penstock::compile
