// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/digest.hpp"

#include <openssl/evp.h>

#include "userspace/base/assert.hpp"

namespace penstock::tls {

std::array<std::uint8_t, 20> sha1(std::string_view text) {
    std::array<std::uint8_t, 20> digest = {};
    PST_ASSERT(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) == 1);
    return digest;
}

}  // namespace penstock::tls
