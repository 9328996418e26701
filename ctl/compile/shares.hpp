// SPDX-License-Identifier: Apache-2.0
// From the weights of backendRefs to weights of single endpoints, for tables that know endpoints only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace penstock::compile {

struct Share {
    std::uint32_t weight = 0;     // of the backendRef
    std::uint32_t endpoints = 0;  // over which it is spread evenly
};

// One weight per share: what each of its endpoints gets. Their ratios are those of weight / endpoints, exactly where 16 bits allow;
// the greatest is at most 65535, the least 1, and 0 only where weight or endpoints are 0.
[[nodiscard]] std::vector<std::uint32_t> endpoint_weights(std::span<const Share> shares);

}  // namespace penstock::compile
