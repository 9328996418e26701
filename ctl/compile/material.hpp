// SPDX-License-Identifier: Apache-2.0
// TLS material: certificates with their keys in Secrets, bundles of authorities in ConfigMaps. Whoever refers to one gets it or the
// reason why not; what it means for a listener, a Gateway or a policy is theirs to say.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/compile/snapshot.hpp"
#include "ctl/compile/world.hpp"

namespace penstock::compile {

// A certificate that a listener may serve with, or that a Gateway shows to backends.
struct ServingCertificate {
    model::ObjectPtr secret;
    std::string chain_pem;
    std::vector<std::string> names;
    std::string key_id;
    std::shared_ptr<const Secret> key;
    std::string ocsp;           // a DER response to staple; "" if there is none
    std::string without_effect; // what else the Secret holds and we cannot use, as a sentence; "" if nothing
};
using ServingCertificatePtr = std::shared_ptr<const ServingCertificate>;

// Objects that were judged before: one Secret serves many listeners, and parsing it costs more than all else about it. Objects are
// immutable, so a judgement holds as long as its object.
struct MaterialCache {
    struct Judged {
        std::shared_ptr<const model::Object> object;  // keeps the address from being used again
        ServingCertificatePtr certificate;            // of a Secret; null if it is not fit
        std::string bundle;                           // of a ConfigMap: PEM; "" if it is not fit
        std::string fault;
    };
    std::map<const model::Object*, Judged> judged;
};

struct CertificateOutcome {
    ServingCertificatePtr certificate;  // null: there is none to serve with
    bool forbidden = false;             // a ReferenceGrant is missing
    std::string fault;                  // of the reference; "" if it resolves. With a certificate: that one is of before
};

// A reference to authorities, in the target's namespace.
struct AuthorityRef {
    std::string group;
    std::string kind;
    std::string ns;
    std::string name;
};

struct BundleOutcome {
    enum class Fault { none, invalid, kind, forbidden };
    std::string pem;  // of all references that are good; "" if none is
    Fault fault = Fault::none;  // of the first that is not
    std::string message;
};

class Material {
public:
    struct Made {
        MaterialCache& cache;
        ServingPairs& pairs;
    };
    struct Before {  // may be null
        const MaterialCache* cache;
        const ServingPairs* pairs;
    };
    Material(const World& world, Made made, Before before) : world_(world), made_(made), before_(before) {}

    // A Secret that is there and cannot be used is served with what it had before: what ran goes on.
    [[nodiscard]] CertificateOutcome certificate(const World::From& who, const model::SecretRef& ref);
    [[nodiscard]] BundleOutcome bundle(const World::From& who, const std::vector<AuthorityRef>& refs);

private:
    const MaterialCache::Judged& judge(const std::shared_ptr<const model::Object>& object);
    [[nodiscard]] ServingCertificatePtr pair_before(const std::string& secret) const;
    BundleOutcome one_bundle(const World::From& who, const AuthorityRef& ref);

    const World& world_;
    Made made_;
    Before before_;
};

}  // namespace penstock::compile
