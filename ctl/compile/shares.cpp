// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/shares.hpp"

#include <algorithm>
#include <numeric>

namespace penstock::compile {
namespace {

constexpr std::uint64_t kWeightMax = 65535;
constexpr std::uint64_t kScaleMax = 1U << 24;  // above it ratios are rounded: an endpoint's share is then off by less than 1 in 10^7

std::uint64_t common_scale(std::span<const Share> shares) {
    std::uint64_t scale = 1;
    for (const Share& share : shares) {
        if (share.weight != 0 && share.endpoints != 0) {
            scale = std::lcm(scale, std::uint64_t{share.endpoints});
        }
        if (scale > kScaleMax) {
            return kScaleMax;
        }
    }
    return scale;
}

}  // namespace

std::vector<std::uint32_t> endpoint_weights(std::span<const Share> shares) {
    const std::uint64_t scale = common_scale(shares);
    std::vector<std::uint64_t> wide;
    std::uint64_t divisor = 0;
    for (const Share& share : shares) {
        const bool none = share.weight == 0 || share.endpoints == 0;
        wide.push_back(none ? 0 : std::max<std::uint64_t>(1, share.weight * scale / share.endpoints));
        divisor = std::gcd(divisor, wide.back());
    }
    std::uint64_t greatest = 0;
    for (std::uint64_t& weight : wide) {
        weight /= std::max<std::uint64_t>(1, divisor);
        greatest = std::max(greatest, weight);
    }
    std::vector<std::uint32_t> out;
    for (const std::uint64_t weight : wide) {
        const std::uint64_t fitted = greatest > kWeightMax ? weight * kWeightMax / greatest : weight;
        out.push_back(static_cast<std::uint32_t>(weight == 0 ? 0 : std::max<std::uint64_t>(1, fitted)));
    }
    return out;
}

}  // namespace penstock::compile
