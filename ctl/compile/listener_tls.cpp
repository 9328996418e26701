// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/listener_tls.hpp"

namespace penstock::compile {
namespace {

using R = ConditionReason;

void unresolve(Listener& listener, ConditionReason reason, std::string message) {
    add_fault(listener.unresolved, Condition{reason, std::move(message)});
}

}  // namespace

void resolve_certificates(Listener& listener, Material& material) {
    const auto& tls = listener.spec->tls;
    if (!tls || tls->certificate_refs.empty()) {
        unresolve(listener, R::ListenerResolvedRefs_invalid_certificate_ref, "the listener has no certificateRefs");
        return;
    }
    const std::string_view kind = listener.set == kNone ? "Gateway" : "ListenerSet";
    for (const model::SecretRef& ref : tls->certificate_refs) {
        CertificateOutcome outcome = material.certificate({model::kGatewayGroup, kind, listener.owner->key.ns}, ref);
        if (!outcome.fault.empty()) {
            unresolve(listener, outcome.forbidden ? R::ListenerResolvedRefs_ref_not_permitted : R::ListenerResolvedRefs_invalid_certificate_ref,
                      std::move(outcome.fault));
        }
        if (!outcome.certificate) {
            continue;
        }
        if (listener.without_effect.empty()) {
            listener.without_effect = outcome.certificate->without_effect;
        }
        listener.certificates.push_back(std::move(outcome.certificate));
    }
}

void read_options(Listener& listener) {
    if (!listener.spec->tls) {
        return;
    }
    const AnnotationFaults faults = read_tls_options(listener.spec->tls->options, listener.tls);
    if (!faults.empty() && !listener.refused) {
        // A listener that is weaker than asked for is worse than none.
        listener.refused = Condition{R::ListenerAccepted_unsupported_value, "tls.options: " + faults.text()};
    }
}

void resolve_frontend(Listener& listener, const Typed<model::Gateway>& gateway, Material& material) {
    const auto& tls = gateway.spec->tls;
    const model::FrontendValidation* wanted = tls ? tls->frontend_of(listener.spec->port) : nullptr;
    if (listener.mode != fb::ListenerMode::Https || wanted == nullptr) {
        return;
    }
    std::vector<AuthorityRef> refs;
    for (const model::SecretRef& ref : wanted->ca_certificate_refs) {
        refs.push_back({ref.group, ref.kind, ref.ns.value_or(gateway.ns()), ref.name});
    }
    BundleOutcome outcome = material.bundle({model::kGatewayGroup, "Gateway", gateway.ns()}, refs);
    if (outcome.fault != BundleOutcome::Fault::none) {
        const R reason = outcome.fault == BundleOutcome::Fault::kind        ? R::ListenerResolvedRefs_invalid_ca_certificate_kind
                         : outcome.fault == BundleOutcome::Fault::forbidden ? R::ListenerResolvedRefs_ref_not_permitted
                                                                            : R::ListenerResolvedRefs_invalid_ca_certificate_ref;
        unresolve(listener, reason, outcome.message);
    }
    if (outcome.pem.empty() && !listener.refused) {
        // Serving without the check that was asked for would let strangers in.
        listener.refused = Condition{R::ListenerAccepted_no_valid_ca_certificate, outcome.message};
    }
    const bool fallback = wanted->mode == "AllowInsecureFallback";
    listener.tls.tls.client_certificates = fallback ? fb::ClientCertificates::InsecureFallback : fb::ClientCertificates::AllowValidOnly;
    listener.tls.tls.client_trust = "Gateway/" + gateway.ns() + "/" + gateway.name() + "/" + std::to_string(listener.spec->port);
    listener.client_authorities = std::move(outcome.pem);
}

void resolve_client_certificate(GatewayFront& gateway, Material& material) {
    const auto& tls = gateway.object.spec->tls;
    if (!tls || !tls->client_certificate_ref) {
        return;
    }
    CertificateOutcome outcome = material.certificate({model::kGatewayGroup, "Gateway", gateway.object.ns()}, *tls->client_certificate_ref);
    if (!outcome.fault.empty()) {
        gateway.unresolved = Condition{outcome.forbidden ? R::GatewayResolvedRefs_ref_not_permitted : R::GatewayResolvedRefs_invalid_client_certificate_ref,
                                       "spec.tls.backend.clientCertificateRef: " + outcome.fault};
    }
    gateway.client_certificate = std::move(outcome.certificate);
}

}  // namespace penstock::compile
