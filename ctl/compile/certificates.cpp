// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/certificates.hpp"

#include "ctl/compile/parts.hpp"

namespace penstock::compile {
namespace {

const std::string* value_of(const model::Secret& secret, const std::string& key) {
    const auto found = secret.data.find(key);
    return found != secret.data.end() ? &found->second : nullptr;
}

// The key's id follows from the certificate, which it belongs to: nothing of the key itself goes into a name.
std::string key_id(const model::Object& secret, const std::string& chain_pem) {
    return secret.key.ns + "/" + secret.key.name + "/" + digest_of(chain_pem);
}

CertificateCache::Judged judge_now(const std::shared_ptr<const model::Object>& object) {
    CertificateCache::Judged judged{object, nullptr, {}};
    const auto& secret = std::get<model::Secret>(object->body);
    const std::string* chain = value_of(secret, "tls.crt");
    const std::string* key = value_of(secret, "tls.key");
    if (chain == nullptr || key == nullptr) {
        judged.fault = chain == nullptr ? "has no tls.crt" : "has no tls.key";
        return judged;
    }
    auto checked = check::check_certificate(*chain, *key);
    if (!checked.ok()) {
        judged.fault = "cannot be used: " + checked.error().what;
        return judged;
    }
    auto certificate = std::make_shared<ServingCertificate>();
    certificate->secret = object.get();
    certificate->chain_pem = std::move(checked->chain_pem);
    certificate->names = std::move(checked->names);
    certificate->key_id = key_id(*object, certificate->chain_pem);
    certificate->key = std::make_shared<const Secret>(*key);
    judged.certificate = std::move(certificate);
    return judged;
}

Condition invalid_ref(std::string message) { return {ConditionReason::ListenerResolvedRefs_invalid_certificate_ref, std::move(message)}; }

std::optional<Condition> add_certificate(Listener& listener, const model::SecretRef& ref, const World& world, CertificateCache& cache,
                                         const CertificateCache* previous) {
    const std::string& home = listener.owner->key.ns;
    const std::string ns = ref.ns.value_or(home);
    const std::string name = "Secret " + ns + "/" + ref.name;
    if (!ref.group.empty() || ref.kind != "Secret") {
        return invalid_ref("certificateRef to " + (ref.group.empty() ? "" : ref.group + "/") + ref.kind + " " + ref.name + ": only a Secret can be one");
    }
    const std::string_view kind = listener.set == kNone ? "Gateway" : "ListenerSet";
    if (!world.permitted({model::kGatewayGroup, kind, home}, {"", "Secret", ns, ref.name})) {
        return Condition{ConditionReason::ListenerResolvedRefs_ref_not_permitted,
                         "no ReferenceGrant in " + ns + " lets " + std::string(kind) + " of " + home + " refer to " + name};
    }
    const auto secret = world.secret(ns, ref.name);
    if (!secret) {
        return invalid_ref(name + " does not exist");
    }
    const CertificateCache::Judged& judged = cache.judge(secret, previous);
    if (!judged.certificate) {
        return invalid_ref(name + " " + judged.fault);
    }
    listener.certificates.push_back(judged.certificate);
    return std::nullopt;
}

}  // namespace

const CertificateCache::Judged& CertificateCache::judge(const std::shared_ptr<const model::Object>& secret, const CertificateCache* previous) {
    const auto [place, added] = judged_.try_emplace(secret.get());
    if (added) {
        const auto before = previous != nullptr ? previous->judged_.find(secret.get()) : judged_.end();
        const bool known = previous != nullptr && before != previous->judged_.end();
        place->second = known ? before->second : judge_now(secret);
    }
    return place->second;
}

void resolve_certificates(Listener& listener, const World& world, CertificateCache& cache, const CertificateCache* previous) {
    const auto& tls = listener.spec->tls;
    if (!tls || tls->certificate_refs.empty()) {
        listener.unresolved = invalid_ref("the listener has no certificateRefs");
        return;
    }
    for (const model::SecretRef& ref : tls->certificate_refs) {
        auto fault = add_certificate(listener, ref, world, cache, previous);
        if (fault && !listener.unresolved) {
            listener.unresolved = std::move(fault);
        }
    }
}

}  // namespace penstock::compile
