// SPDX-License-Identifier: Apache-2.0
// Certificates of listeners, and the bundles that others are verified by: do they hold, for how long, for which names? Where Secrets come
// without their content nothing is said of it.
#include <algorithm>

#include "ctl/check/certificate.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/model/formats.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::gwctl {

namespace {

using model::Reference;
using model::Role;

constexpr std::int64_t kSoonS = 30 * 86400;

struct Pem {
    std::string text;  // "" if it is not known
    model::ObjectKey of;
};

Pem pem_of(const Scene& scene, const Reference& reference) {
    const auto kind = kind_of(reference);
    const auto object = kind ? scene.store.get(*kind, reference.ns, reference.name) : nullptr;
    Pem out;
    if (object == nullptr) {
        return out;
    }
    out.of = object->key;
    const char* entry = reference.role == Role::certificate ? "tls.crt" : "ca.crt";
    const auto take = [&](const std::map<std::string, std::string>& data) {
        const auto found = data.find(entry);
        out.text = found != data.end() ? found->second : "";
    };
    if (const auto* secret = model::body_of<model::Secret>(*object)) {
        take(secret->data);
    } else if (const auto* map = model::body_of<model::ConfigMap>(*object)) {
        take(map->data);
    }
    return out;
}

// As TLS clients match: a wildcard stands for one label. A listener's wildcard wants the certificate's.
bool holds_for(const std::string& name, const std::string& hostname) {
    const std::size_t dot = hostname.find('.');
    return name == hostname || (name.starts_with("*.") && dot != std::string::npos && name.substr(1) == hostname.substr(dot));
}

void check_times(Checking& checking, const model::ObjectKey& from, const Reference& reference, const Pem& pem, const check::Validity& validity) {
    const std::int64_t now = checking.scene.now_s;
    const bool is_authority = reference.role == Role::authority;  // of a bundle others may still vouch
    const std::string what = pem.of.text() + (is_authority ? ": one of its certificates " : ": its certificate ");
    if (validity.until_s < now || validity.from_s > now) {
        checking.add({.code = "TLS002", .weight = is_authority ? Weight::warning : Weight::error, .object = from, .path = reference.path,
                      .message = what + (validity.until_s < now ? "expired at " + model::time_text(validity.until_s) : "is not valid before " + model::time_text(validity.from_s)),
                      .hint = is_authority ? "it vouches for nobody: take it out of the bundle, or put its successor in" : "clients refuse it: renew it", .manifest = {}, .explains = {}});
    } else if (validity.until_s - now < kSoonS) {
        checking.add({.code = "TLS003", .weight = Weight::warning, .object = from, .path = reference.path,
                      .message = what + "expires at " + model::time_text(validity.until_s) + ", in " + std::to_string((validity.until_s - now) / 86400) + " days", .hint = "renew it", .manifest = {}, .explains = {}});
    }
}

void check_hostname(Checking& checking, const model::ObjectKey& from, const Reference& reference, const std::vector<model::Listener>& listeners, const Pem& pem, const check::Validity& validity) {
    for (std::size_t i = 0; i < listeners.size(); ++i) {
        const model::Listener& listener = listeners[i];
        if (!reference.path.starts_with("spec.listeners[" + std::to_string(i) + "].tls") || !listener.hostname || listener.tls->certificate_refs.size() != 1) {
            continue;  // of several, one is chosen by name
        }
        const std::string hostname = lower(*listener.hostname);
        if (std::none_of(validity.names.begin(), validity.names.end(), [&](const std::string& name) { return holds_for(name, hostname); })) {
            std::string names;
            for (const std::string& name : validity.names) {
                names += (names.empty() ? "" : ", ") + name;
            }
            checking.add({.code = "TLS004", .weight = Weight::warning, .object = from, .path = reference.path, .message = pem.of.text() + ": its certificate does not hold for " + hostname,
                          .hint = names.empty() ? "it holds for no name" : "it holds for " + names, .manifest = {}, .explains = {}});
        }
    }
}

}  // namespace

void check_certificates(Checking& checking) {
    for (const auto& [key, object] : checking.scene.store) {
        for (const Reference& reference : references_of(*object)) {
            const bool wanted = reference.role == Role::certificate || reference.role == Role::authority;
            const Pem pem = wanted ? pem_of(checking.scene, reference) : Pem();
            if (pem.text.empty()) {
                continue;
            }
            const auto validity = check::validity_of(pem.text);
            if (!validity.ok()) {
                checking.add({.code = "TLS002", .object = key, .path = reference.path, .message = pem.of.text() + ": " + validity.error().what, .hint = {}, .manifest = {},
                              .explains = reference.role == Role::certificate ? "InvalidCertificateRef" : "InvalidCACertificateRef"});
                continue;
            }
            check_times(checking, key, reference, pem, *validity);
            if (const auto* listeners = listeners_of(*object)) {
                check_hostname(checking, key, reference, *listeners, pem, *validity);
            }
        }
    }
}

}  // namespace penstock::gwctl
