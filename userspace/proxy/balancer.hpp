// SPDX-License-Identifier: Apache-2.0
// Which backend of a rule gets the next request: weights by a precomputed cycle. Threads take their tickets into it from the shared page, so
// weights are exact over each period of the cycle whoever serves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace penstock::proxy {

inline constexpr std::uint32_t kCycleMax = 500;

// The smooth weighted cycle of `weights`: choice i stands in it weights[i] / gcd times, spread evenly. Weights whose cycle would be longer
// than kCycleMax are scaled down (none but 0 to 0). Empty if all weights are 0.
inline std::vector<std::uint16_t> weighted_cycle(std::span<const std::uint32_t> weights) {
    std::vector<std::uint64_t> parts(weights.begin(), weights.end());
    std::uint64_t divisor = 0;
    std::uint64_t total = 0;
    for (const std::uint64_t part : parts) {
        divisor = std::gcd(divisor, part);
        total += part;
    }
    if (total == 0) {
        return {};
    }
    const bool too_long = total / divisor > kCycleMax;
    std::uint64_t length = 0;
    for (std::uint64_t& part : parts) {
        const std::uint64_t scaled = too_long ? (part * kCycleMax + total / 2) / total : part / divisor;
        part = part == 0 ? 0 : std::max<std::uint64_t>(scaled, 1);
        length += part;
    }
    std::vector<std::uint16_t> cycle;
    std::vector<std::int64_t> credit(parts.size());
    for (std::uint64_t step = 0; step < length; ++step) {
        std::size_t best = 0;
        for (std::size_t i = 0; i < parts.size(); ++i) {
            credit[i] += static_cast<std::int64_t>(parts[i]);
            best = credit[i] > credit[best] || parts[best] == 0 ? i : best;
        }
        credit[best] -= static_cast<std::int64_t>(length);
        cycle.push_back(static_cast<std::uint16_t>(best));
    }
    return cycle;
}

}  // namespace penstock::proxy
