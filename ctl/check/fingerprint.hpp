// SPDX-License-Identifier: Apache-2.0
// A name for a secret that tells nothing of it but whether it is the same.
#pragma once

#include <string>
#include <string_view>

namespace penstock::check {

// 32 hex digits of SHA-256. The secret must be one that nobody can guess.
[[nodiscard]] std::string fingerprint_of(std::string_view secret);

}  // namespace penstock::check
