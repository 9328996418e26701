// SPDX-License-Identifier: Apache-2.0
// How long to wait before something that ended is started again. Times are milliseconds of a monotonic clock that the caller reads.
#pragma once

#include <algorithm>
#include <cstdint>

namespace penstock::keeper {

class Backoff {
public:
    static constexpr std::int64_t kFirstMs = 100;
    static constexpr std::int64_t kLastMs = 5000;
    static constexpr std::int64_t kStableMs = 10'000;  // a run that lasted so long forgives what was before

    void started(std::int64_t now_ms) { started_ms_ = now_ms; }
    // When it may start again. The first failure after a stable run costs nothing.
    std::int64_t ended(std::int64_t now_ms) {
        if (now_ms - started_ms_ >= kStableMs) {
            delay_ms_ = 0;
        }
        const std::int64_t at = now_ms + delay_ms_;
        delay_ms_ = std::clamp(delay_ms_ * 2, kFirstMs, kLastMs);
        return at;
    }

private:
    std::int64_t started_ms_ = 0;
    std::int64_t delay_ms_ = 0;
};

}  // namespace penstock::keeper
