// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/material.hpp"

#include "ctl/check/certificate.hpp"
#include "ctl/compile/parts.hpp"
#include "schema/part_name.hpp"

namespace penstock::compile {
namespace {

constexpr const char* kStaple = "tls.ocsp";

const std::string* value_of(const std::map<std::string, std::string>& data, const std::string& key) {
    const auto found = data.find(key);
    return found != data.end() ? &found->second : nullptr;
}

// The key's id follows from the certificate, which it belongs to: nothing of the key itself goes into a name.
std::string key_id(const model::Object& secret, const std::string& chain_pem) {
    return secret.key.ns + "/" + secret.key.name + "/" + fb::hex(digest_of(chain_pem));
}

void add_staple(const model::Object& object, const model::Secret& secret, ServingCertificate& certificate) {
    const std::string* staple = value_of(secret.data, kStaple);
    if (staple == nullptr) {
        return;
    }
    const Status status = check::check_staple(certificate.chain_pem, *staple);
    if (status.ok()) {
        certificate.ocsp = *staple;
    } else {
        certificate.without_effect = std::string(kStaple) + " of " + object.key.text() + ": " + status.error().what;
    }
}

void judge_secret(const model::ObjectPtr& object, const model::Secret& secret, MaterialCache::Judged& out) {
    const std::string* chain = value_of(secret.data, "tls.crt");
    const std::string* key = value_of(secret.data, "tls.key");
    if (chain == nullptr || key == nullptr) {
        out.fault = chain == nullptr ? "has no tls.crt" : "has no tls.key";
        return;
    }
    auto checked = check::check_certificate(*chain, *key);
    if (!checked.ok()) {
        out.fault = "cannot be used: " + checked.error().what;
        return;
    }
    auto certificate = std::make_shared<ServingCertificate>();
    certificate->secret = object;
    certificate->chain_pem = std::move(checked->chain_pem);
    certificate->names = std::move(checked->names);
    certificate->key_id = key_id(*object, certificate->chain_pem);
    certificate->key = std::make_shared<const Secret>(*key);
    add_staple(*object, secret, *certificate);
    out.certificate = std::move(certificate);
}

void judge_config_map(const model::ConfigMap& map, MaterialCache::Judged& out) {
    const std::string* pem = value_of(map.data, "ca.crt");
    if (pem == nullptr) {
        out.fault = "has no ca.crt";
        return;
    }
    auto checked = check::check_authorities(*pem);
    if (checked.ok()) {
        out.bundle = std::move(*checked);
    } else {
        out.fault = "cannot be used: " + checked.error().what;
    }
}

std::string no_grant(const World::From& who, const std::string& ns, const std::string& target) {
    return "no ReferenceGrant in " + ns + " lets " + std::string(who.kind) + " of " + std::string(who.ns) + " refer to " + target;
}

std::string kind_text(const std::string& group, const std::string& kind, const std::string& name) {
    return (group.empty() ? "" : group + "/") + kind + " " + name;
}

}  // namespace

const MaterialCache::Judged& Material::judge(const std::shared_ptr<const model::Object>& object) {
    const auto [place, added] = made_.cache.judged.try_emplace(object.get());
    if (!added) {
        return place->second;
    }
    if (before_.cache != nullptr) {
        if (const auto before = before_.cache->judged.find(object.get()); before != before_.cache->judged.end()) {
            return place->second = before->second;
        }
    }
    place->second.object = object;
    if (const auto* secret = std::get_if<model::Secret>(&object->body)) {
        judge_secret(object, *secret, place->second);
    } else if (const auto* map = std::get_if<model::ConfigMap>(&object->body)) {
        judge_config_map(*map, place->second);
    }
    return place->second;
}

CertificateOutcome Material::certificate(const World::From& who, const model::SecretRef& ref) {
    const std::string ns = ref.ns.value_or(std::string(who.ns));
    const std::string name = "Secret " + ns + "/" + ref.name;
    if (!ref.group.empty() || ref.kind != "Secret") {
        return {nullptr, false, "a certificate in " + kind_text(ref.group, ref.kind, ref.name) + ": only a Secret can hold one"};
    }
    if (!world_.permitted(who, {"", "Secret", ns, ref.name})) {
        return {nullptr, true, no_grant(who, ns, name)};
    }
    const auto secret = world_.secret(ns, ref.name);
    if (!secret) {
        return {nullptr, false, name + " does not exist"};
    }
    const MaterialCache::Judged& judged = judge(secret);
    const std::string place = ns + "/" + ref.name;
    if (judged.certificate) {
        made_.pairs.insert_or_assign(place, judged.certificate);
        return {judged.certificate, false, {}};
    }
    CertificateOutcome out{pair_before(place), false, name + " " + judged.fault};
    if (out.certificate) {
        made_.pairs.insert_or_assign(place, out.certificate);
        out.fault += "; what it held before is served";
    }
    return out;
}

ServingCertificatePtr Material::pair_before(const std::string& secret) const {
    if (before_.pairs == nullptr) {
        return nullptr;
    }
    const auto found = before_.pairs->find(secret);
    return found != before_.pairs->end() ? found->second : nullptr;
}

BundleOutcome Material::one_bundle(const World::From& who, const AuthorityRef& ref) {
    using Fault = BundleOutcome::Fault;
    const std::string name = "ConfigMap " + ref.ns + "/" + ref.name;
    if (!ref.group.empty() || ref.kind != "ConfigMap") {
        return {{}, Fault::kind, "certificate authorities in " + kind_text(ref.group, ref.kind, ref.name) + ": only a ConfigMap can hold them"};
    }
    if (!world_.permitted(who, {"", "ConfigMap", ref.ns, ref.name})) {
        return {{}, Fault::forbidden, no_grant(who, ref.ns, name)};
    }
    const auto map = world_.config_map(ref.ns, ref.name);
    if (!map) {
        return {{}, Fault::invalid, name + " does not exist"};
    }
    const MaterialCache::Judged& judged = judge(map);
    return judged.bundle.empty() ? BundleOutcome{{}, Fault::invalid, name + " " + judged.fault} : BundleOutcome{judged.bundle, Fault::none, {}};
}

BundleOutcome Material::bundle(const World::From& who, const std::vector<AuthorityRef>& refs) {
    BundleOutcome all;
    for (const AuthorityRef& ref : refs) {
        BundleOutcome one = one_bundle(who, ref);
        all.pem += one.pem;
        if (one.fault != BundleOutcome::Fault::none && all.fault == BundleOutcome::Fault::none) {
            all.fault = one.fault;
            all.message = std::move(one.message);
        }
    }
    return all;
}

}  // namespace penstock::compile
