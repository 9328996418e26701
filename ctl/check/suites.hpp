// SPDX-License-Identifier: Apache-2.0
// Are TLS cipher suites and groups ones that this OpenSSL has? Pure. Only suites that encrypt and authenticate in one (AEAD) are served.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/result.hpp"

namespace penstock::check {

// In OpenSSL's notation, ":" between; "" if none of that version was named.
struct Suites {
    std::string tls12;
    std::string tls13;
};

// By OpenSSL's or IANA's names, in order of preference. Errc::invalid with a sentence that says which is not known.
[[nodiscard]] Result<Suites> check_suites(const std::vector<std::string>& names);

// "X25519", "P-256", "X25519MLKEM768".
[[nodiscard]] Status check_group(const std::string& name);

}  // namespace penstock::check
