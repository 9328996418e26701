// SPDX-License-Identifier: Apache-2.0
// How long a client may make us wait for its body in all: a grace, and a second for each kBytesPerSecond that have come. A gap has its own
// limit; this ends those who send a byte just before every one. Only waiting for the client counts, not a backend that is slow to take it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "userspace/ring/timer.hpp"

namespace penstock::proxy {

class BodyPace {
public:
    static constexpr std::uint64_t kBytesPerSecond = 240;  // less than any modem; who is in a tunnel has the grace

    // From now on it holds; grace 0: no limit.
    void start(ring::Duration grace) { left_ = grace; }
    // Whoever answers before the body is there, talks: both sides may take their time.
    void stop() { left_ = {}; }

    void moved(std::size_t bytes) {
        if (holds()) {
            left_ += std::chrono::microseconds(bytes * 1'000'000 / kBytesPerSecond);
        }
    }
    void waited(ring::Duration time) {
        if (holds()) {
            left_ = std::max(left_ - time, ring::Duration(1));
        }
    }
    // Of a wait that begins now.
    [[nodiscard]] ring::Time deadline(ring::Time now) const { return holds() ? now + left_ : ring::kNever; }
    [[nodiscard]] bool holds() const { return left_.count() > 0; }

private:
    ring::Duration left_ = {};
};

}  // namespace penstock::proxy
