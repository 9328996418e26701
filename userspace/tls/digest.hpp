// SPDX-License-Identifier: Apache-2.0
// Digests that a protocol prescribes and nothing secret hangs on.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace penstock::tls {

std::array<std::uint8_t, 20> sha1(std::string_view text);

}  // namespace penstock::tls
