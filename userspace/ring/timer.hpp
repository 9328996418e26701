// SPDX-License-Identifier: Apache-2.0
// Time and the timers of one loop: an intrusive 4-ary heap, exact to the clock's reading of a turn. Allocates only to grow.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::ring {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
using Duration = Clock::duration;

inline constexpr Time kNever = Time::max();  // "no deadline"

// How long until then; 0 if it has passed.
inline Duration left_until(Time when) {
    const Time now = Clock::now();
    return when <= now ? Duration(0) : when - now;
}

// Lies in its owner. Disarm it before it dies.
class Timer {
public:
    using Fire = void (*)(Timer&);
    explicit Timer(Fire fire) : fire_(fire) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    [[nodiscard]] bool armed() const { return index_ != kIdle; }
    [[nodiscard]] Time when() const { return when_; }  // kNever unless armed

private:
    friend class Timers;
    static constexpr std::size_t kIdle = SIZE_MAX;
    Time when_ = kNever;
    std::size_t index_ = kIdle;
    Fire fire_;
};

class Timers {
public:
    // Arms, or moves if it is armed. kNever disarms.
    void arm(Timer& timer, Time when);
    void disarm(Timer& timer);
    // Fires all that are due, each disarmed first; it may arm itself again (for later than `now`).
    void run(Time now);
    [[nodiscard]] Time next() const { return heap_.empty() ? kNever : heap_.front()->when_; }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }

private:
    void put(std::size_t index, Timer* timer) {
        heap_[index] = timer;
        timer->index_ = index;
    }
    void up(std::size_t index, Timer* timer);
    void down(std::size_t index, Timer* timer);

    std::vector<Timer*> heap_;
};

}  // namespace penstock::ring
