// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/fingerprint.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "userspace/base/assert.hpp"

namespace penstock::check {

std::string fingerprint_of(std::string_view secret) {
    constexpr std::size_t kBytes = 16;
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
    PST_ASSERT(EVP_Digest(secret.data(), secret.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
    std::string text;
    for (std::size_t i = 0; i < kBytes; ++i) {
        text += "0123456789abcdef"[digest[i] >> 4];
        text += "0123456789abcdef"[digest[i] & 15];
    }
    return text;
}

}  // namespace penstock::check
