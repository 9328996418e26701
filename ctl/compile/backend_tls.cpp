// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/backend_tls.hpp"

namespace penstock::compile {
namespace {

using R = ConditionReason;

constexpr const char* kSystemTrust = "system";

std::string place(const std::string& ns, const std::string& service, const std::string& section) { return ns + "/" + service + "/" + section; }

void judge_authorities(JudgedPolicy& out, Material& material) {
    const model::BackendTlsValidation& validation = out.policy.spec->validation;
    if (!validation.well_known_ca_certificates.empty()) {
        out.trust = kSystemTrust;
        out.bundle.system = true;
        if (validation.well_known_ca_certificates != "System") {
            out.refused = Condition{R::PolicyAccepted_invalid, "validation.wellKnownCACertificates: " + validation.well_known_ca_certificates +
                                                                   " is not known, System is"};
        }
        return;
    }
    std::vector<AuthorityRef> refs;
    for (const model::ObjectRef& ref : validation.ca_certificate_refs) {
        refs.push_back({ref.group, ref.kind, out.policy.ns(), ref.name});
    }
    BundleOutcome outcome = material.bundle({model::kGatewayGroup, "BackendTLSPolicy", out.policy.ns()}, refs);
    if (outcome.fault != BundleOutcome::Fault::none) {
        const bool kind = outcome.fault == BundleOutcome::Fault::kind;
        out.unresolved = Condition{kind ? R::PolicyResolvedRefs_invalid_kind : R::PolicyResolvedRefs_invalid_ca_certificate_ref, outcome.message};
    }
    if (outcome.pem.empty()) {
        out.refused = Condition{R::PolicyAccepted_no_valid_ca_certificate, outcome.message};
    }
    out.trust = "BackendTLSPolicy/" + out.policy.ns() + "/" + out.policy.name();
    out.bundle.pem = std::move(outcome.pem);
}

JudgedPolicy judge(const Typed<model::BackendTlsPolicy>& policy, Material& material) {
    JudgedPolicy out;
    out.policy = policy;
    judge_authorities(out, material);
    for (const auto& [key, value] : policy.spec->options) {
        if (key.starts_with(kAnnotationPrefix) && !out.refused) {
            out.refused = Condition{R::PolicyAccepted_invalid, "options: " + key + " is not known"};
        }
    }
    return out;
}

std::shared_ptr<fb::BackendTlsT> tls_of(const JudgedPolicy& policy) {
    const model::BackendTlsValidation& validation = policy.policy.spec->validation;
    auto tls = std::make_shared<fb::BackendTlsT>();
    tls->server_name = validation.hostname;
    tls->trust = policy.trust;
    for (const model::SubjectAltName& name : validation.subject_alt_names) {
        auto san = std::make_unique<fb::SanT>();
        san->kind = name.type == "URI" ? fb::SanKind::Uri : fb::SanKind::Dns;
        san->value = name.type == "URI" ? name.uri : name.hostname;
        tls->sans.push_back(std::move(san));
    }
    return tls;
}

}  // namespace

bool BackendPolicies::is_service(const model::PolicyTarget& target) { return target.group.empty() && target.kind == "Service"; }

bool BackendPolicies::speaks_tls(const SetUse& use, const Listener& listener) {
    switch (*listener.mode) {
        case fb::ListenerMode::Http:
        case fb::ListenerMode::Https:
        case fb::ListenerMode::TlsTerminate: return use.transport == Transport::tcp;
        default: return false;
    }
}

BackendPolicies::BackendPolicies(const World& world, Material& material) {
    for (const auto& policy : world.by_age->policies) {
        for (const model::PolicyTarget& target : policy.spec->target_refs) {
            if (is_service(target)) {
                holders_.try_emplace(place(policy.ns(), target.name, target.section_name.value_or("")), policies_.size());
            }
        }
        policies_.push_back(judge(policy, material));
    }
}

const JudgedPolicy* BackendPolicies::of(const SetUse& use) const {
    for (const std::string& section : {use.port_name, std::string()}) {
        if (const auto found = holders_.find(place(use.ns, use.service, section)); found != holders_.end()) {
            return &policies_[found->second];
        }
    }
    return nullptr;
}

std::optional<ServedSet> BackendPolicies::on(const SetUse& use, const Listener& listener, const Front& front) const {
    const JudgedPolicy* policy = speaks_tls(use, listener) ? of(use) : nullptr;
    if (policy == nullptr) {
        return ServedSet{use.key, use, nullptr, nullptr};
    }
    if (policy->refused) {
        return std::nullopt;
    }
    const GatewayFront& gateway = front.gateways[listener.gateway];
    ServedSet served{use.key + "/tls", use, policy->policy.object, nullptr};
    auto tls = tls_of(*policy);
    if (gateway.client_certificate) {
        tls->client_certificate = client_key(gateway);
        served.key += "/" + gateway.object.ns() + "/" + gateway.object.name();
    }
    served.tls = std::move(tls);
    return served;
}

std::optional<LostTarget> BackendPolicies::lost(const JudgedPolicy& policy, const model::PolicyTarget& target) const {
    const auto found = holders_.find(place(policy.policy.ns(), target.name, target.section_name.value_or("")));
    if (found == holders_.end() || &policies_[found->second] == &policy) {
        return std::nullopt;
    }
    return LostTarget{&target, &policies_[found->second]};
}

std::string BackendPolicies::fingerprint(const Front& front) const {
    std::string out;
    for (const JudgedPolicy& policy : policies_) {
        out += policy.refused ? '-' : '+';
    }
    for (const GatewayFront& gateway : front.gateways) {
        out += gateway.client_certificate ? 'c' : 'n';
    }
    return out;
}

}  // namespace penstock::compile
