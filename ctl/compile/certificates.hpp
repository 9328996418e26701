// SPDX-License-Identifier: Apache-2.0
// The Secrets that a listener serves with. A reference that does not resolve becomes the listener's ResolvedRefs=False; those that do
// are served.
#pragma once

#include <map>
#include <string>

#include "ctl/check/certificate.hpp"
#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// Secrets that were judged before, by object: a Secret serves many listeners, and parsing it costs more than all else about it.
// Entries point to objects of the store, which are immutable.
class CertificateCache {
public:
    struct Judged {
        std::shared_ptr<const model::Object> secret;  // keeps the address from being used again
        ServingCertificatePtr certificate;            // null if it is not fit
        std::string fault;
    };
    const Judged& judge(const std::shared_ptr<const model::Object>& secret, const CertificateCache* previous);

private:
    std::map<const model::Object*, Judged> judged_;
};

// Fills certificates and, if one fails, `unresolved`.
void resolve_certificates(Listener& listener, const World& world, CertificateCache& cache, const CertificateCache* previous);

}  // namespace penstock::compile
