// SPDX-License-Identifier: Apache-2.0
// What is remembered of the peer's certificate, for logs and headers. All text is printable ASCII or UTF-8 without control characters,
// and bounded: it came from a stranger.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <vector>

struct x509_st;

namespace penstock::tls {

struct PeerCertificate {
    static constexpr std::size_t kTextMax = 512;
    static constexpr std::size_t kNamesMax = 32;

    std::string subject;             // RFC 2253
    std::string issuer;
    std::string serial;              // hexadecimal
    std::string fingerprint;         // SHA-256 of the DER, 64 hexadecimal digits
    std::vector<std::string> names;  // "DNS:a.example", "URI:spiffe://x/y", "email:a@b", "IP:10.0.0.1"
    std::time_t not_after = 0;
    bool verified = false;           // by the CA bundle; false only where the policy accepts that

    static std::unique_ptr<const PeerCertificate> of(const x509_st* certificate, bool verified);
};

}  // namespace penstock::tls
