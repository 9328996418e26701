// SPDX-License-Identifier: Apache-2.0
// Is a certificate chain with its key fit to serve, a bundle to verify by, a response to staple? Pure: no file, no clock (an expired certificate is served, as clients may be
// told so), no trust decision. Refuses what a TLS library would refuse later, with a sentence that can be shown to the owner.
// Invariant: neither result nor error holds any byte of the private key.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.hpp"

namespace penstock::check {

struct Certificate {
    std::string chain_pem;           // re-encoded, leaf first; only CERTIFICATE blocks
    std::vector<std::string> names;  // DNS names of the leaf, lower case, sorted: subjectAltName, else the common name
    std::string key_type;            // "EC", "RSA", "ED25519"; what the key is
};

// Parses both and proves that the key belongs to the first certificate. Errc::invalid with a sentence otherwise.
[[nodiscard]] Result<Certificate> check_certificate(std::string_view chain_pem, std::string_view key_pem);

struct Validity {
    std::int64_t from_s = 0;   // Unix time; of the first certificate
    std::int64_t until_s = 0;  // when the first one of the chain expires
    std::vector<std::string> names;  // as above
};

// Of a chain or a bundle; its key is not needed.
[[nodiscard]] Result<Validity> validity_of(std::string_view chain_pem);

// A bundle of certificate authorities, re-encoded. One block that cannot be read refuses it all: who is missing would be hard to find.
[[nodiscard]] Result<std::string> check_authorities(std::string_view pem);

// Whether a DER response of OCSP is one about the first certificate of the chain. Not whether it is fresh: there is no clock here.
[[nodiscard]] Status check_staple(std::string_view chain_pem, std::string_view der);

}  // namespace penstock::check
