// SPDX-License-Identifier: Apache-2.0
// What a TLS endpoint speaks: versions, cipher suites, groups, protocols; and how these become a context's settings. A name that OpenSSL
// does not know is an error that says which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "userspace/base/result.hpp"

struct ssl_ctx_st;

namespace penstock::tls {

inline constexpr std::uint16_t kTls12 = 0x0303;
inline constexpr std::uint16_t kTls13 = 0x0304;

struct SuiteOptions {
    std::uint16_t version_min = kTls12;
    std::uint16_t version_max = kTls13;
    // In order of preference; OpenSSL's names or IANA's, of both versions in one list. A version of which none is named keeps our own.
    std::vector<std::string> ciphers;
    std::vector<std::string> groups;  // "X25519MLKEM768", "X25519", "P-256", ...; empty: our own
};

// `object` names the listener or the backend in errors.
Status set_suites(ssl_ctx_st* context, const SuiteOptions& options, const std::string& object);

// As RFC 7301 writes a list of protocols. An error for a name of 0 or more than 255 bytes.
Result<std::string> alpn_wire(const std::vector<std::string>& protocols, const std::string& object);

}  // namespace penstock::tls
