// SPDX-License-Identifier: Apache-2.0
// Whether an address is silent on its link, as rounds of questions tell. A round in which nobody answers for it counts only if somebody else
// on that link answered: without that the link is broken, or our end of it, and nothing follows. Such a round begins the count anew.
#pragma once

#include <chrono>

namespace penstock::plan {

class Silence {
public:
    using Time = std::chrono::steady_clock::time_point;
    using milliseconds = std::chrono::milliseconds;

    explicit Silence(Time first) : next_(first) {}

    // Whether to ask now: the round before has ended, and is counted. One that ended much too late (a clock that jumped, a loop that hung)
    // says nothing.
    bool due(Time now, milliseconds round) {
        if (now < next_) {
            return false;
        }
        const bool counts = asked_ && link_works_ && !answered_ && now - next_ <= round;
        silent_ = counts ? silent_ + 1 : 0;
        asked_ = true;
        answered_ = link_works_ = false;
        next_ = now + round;
        return true;
    }
    void answered() {
        answered_ = true;
        silent_ = 0;
    }
    void link_works() { link_works_ = true; }

    [[nodiscard]] unsigned rounds() const { return silent_; }  // without an answer, up to now
    [[nodiscard]] Time next() const { return next_; }

private:
    Time next_;
    unsigned silent_ = 0;
    bool asked_ = false;
    bool answered_ = false;
    bool link_works_ = false;
};

}  // namespace penstock::plan
