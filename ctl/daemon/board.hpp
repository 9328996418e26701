// SPDX-License-Identifier: Apache-2.0
// How far the newest change has come: the three numbers of GET /v1/generation. Written by the daemon's thread, read and waited for
// by the threads of the control API. Numbers never fall.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace penstock::daemon {

struct Generation {
    std::uint64_t wanted = 0;   // of what the sources ask for now
    std::uint64_t applied = 0;  // written to maps, addresses and keeper
    std::uint64_t taken = 0;    // served by every active worker

    bool operator==(const Generation&) const = default;
};

class Board {
public:
    [[nodiscard]] Generation get() const;
    void set(const Generation& now);
    // Until taken >= `generation`, the time is up or close() was called. True if it was reached.
    bool wait_taken(std::uint64_t generation, std::chrono::milliseconds patience) const;
    void close();  // ends all waits: the daemon stops

private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    Generation now_;
    bool closed_ = false;
};

}  // namespace penstock::daemon
