// SPDX-License-Identifier: Apache-2.0
// When everything is reconciled although nothing was heard of a change, and whether that was ever of use: an operator who sees no repairs may trust
// the events, one who does not can have a fixed interval instead.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>

namespace penstock::daemon {

// Since the daemon began.
struct Reconciles {
    std::uint64_t events = 0;   // because something changed, or was heard to
    std::uint64_t resyncs = 0;  // because it was time
    std::uint64_t repairs = 0;  // what these found that events had not brought about: in tables, in the kernel, or in a new list of a kind
};

class Resync {
public:
    using Duration = std::chrono::milliseconds;

    // `interval` 0: at random, each time anew, in 12 to 24 hours, so that many daemons do not come at once.
    explicit Resync(Duration interval, std::uint64_t seed = std::random_device{}()) : interval_(interval), random_(seed) {}

    // Until the next one.
    Duration next();

private:
    Duration interval_;
    std::mt19937_64 random_;
};

}  // namespace penstock::daemon
