// SPDX-License-Identifier: Apache-2.0
// How fast we may ask, and when again after a failure. Pure: the time is a parameter.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>

namespace penstock::kubeapi {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using std::chrono::milliseconds;

// Doubles with each failure, between half and the whole of it at random, so that many clients do not come back at one moment.
class Backoff {
public:
    Backoff(milliseconds first, milliseconds most, std::uint64_t seed) : first_(first), most_(most), random_(seed) {}

    [[nodiscard]] milliseconds next() {
        const milliseconds whole = std::min<milliseconds>(most_, first_ * (1L << std::min(failures_, 20U)));
        failures_ += 1;
        std::uniform_int_distribution<milliseconds::rep> pick(whole.count() / 2, whole.count());
        return milliseconds(pick(random_));
    }
    void succeeded() { failures_ = 0; }

private:
    milliseconds first_;
    milliseconds most_;
    unsigned failures_ = 0;
    std::minstd_rand random_;
};

// `burst` at once, and `per_second` in the long run.
class TokenBucket {
public:
    TokenBucket(double per_second, double burst, Time now) : per_second_(per_second), burst_(burst), tokens_(burst), at_(now) {}

    // Takes one token; or says how long to wait for it.
    [[nodiscard]] milliseconds take(Time now) {
        tokens_ = std::min(burst_, tokens_ + std::chrono::duration<double>(now - at_).count() * per_second_);
        at_ = now;
        if (tokens_ >= 1) {
            tokens_ -= 1;
            return milliseconds(0);
        }
        return milliseconds(static_cast<milliseconds::rep>((1 - tokens_) / per_second_ * 1000) + 1);
    }

private:
    double per_second_;
    double burst_;
    double tokens_;
    Time at_;
};

}  // namespace penstock::kubeapi
