// SPDX-License-Identifier: Apache-2.0
// How many retries a backend set may have among its requests: without a bound, retries turn a slow backend into a dead one. One thread's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "userspace/ring/timer.hpp"

namespace penstock::proxy {

class RetryBudget {
public:
    // A request earns `percent` of a retry.
    void earn(std::uint32_t percent) { tokens_ = std::min(tokens_ + percent, kTokensMax); }
    // Takes one. `at_least` of them a second are free.
    bool spend(std::uint32_t at_least, ring::Time now) {
        if (now - second_ >= std::chrono::seconds(1)) {
            second_ = now;
            free_ = at_least;
        }
        if (free_ > 0) {
            --free_;
            return true;
        }
        if (tokens_ < kRetry) {
            return false;
        }
        tokens_ -= kRetry;
        return true;
    }

private:
    static constexpr std::uint32_t kRetry = 100;
    static constexpr std::uint32_t kTokensMax = 100 * kRetry;
    std::uint32_t tokens_ = 0, free_ = 0;
    ring::Time second_ = {};
};

}  // namespace penstock::proxy
