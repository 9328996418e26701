// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/timer.hpp"

#include <algorithm>

namespace penstock::ring {

namespace {
constexpr std::size_t kArity = 4;
}

void Timers::up(std::size_t index, Timer* timer) {
    while (index > 0) {
        const std::size_t parent = (index - 1) / kArity;
        if (heap_[parent]->when_ <= timer->when_) {
            break;
        }
        put(index, heap_[parent]);
        index = parent;
    }
    put(index, timer);
}

void Timers::down(std::size_t index, Timer* timer) {
    for (;;) {
        const std::size_t first = index * kArity + 1;
        if (first >= heap_.size()) {
            break;
        }
        const std::size_t end = std::min(first + kArity, heap_.size());
        std::size_t least = first;
        for (std::size_t child = first + 1; child < end; child++) {
            if (heap_[child]->when_ < heap_[least]->when_) {
                least = child;
            }
        }
        if (heap_[least]->when_ >= timer->when_) {
            break;
        }
        put(index, heap_[least]);
        index = least;
    }
    put(index, timer);
}

void Timers::arm(Timer& timer, Time when) {
    if (when == kNever) {
        disarm(timer);
        return;
    }
    const bool later = timer.armed() && when >= timer.when_;
    timer.when_ = when;
    if (later) {
        down(timer.index_, &timer);
    } else if (timer.armed()) {
        up(timer.index_, &timer);
    } else {
        heap_.push_back(&timer);
        up(heap_.size() - 1, &timer);
    }
}

void Timers::disarm(Timer& timer) {
    if (!timer.armed()) {
        return;
    }
    const std::size_t hole = timer.index_;
    Timer* last = heap_.back();
    heap_.pop_back();
    timer.index_ = Timer::kIdle;
    timer.when_ = kNever;
    if (last == &timer) {
        return;
    }
    if (hole > 0 && heap_[(hole - 1) / kArity]->when_ > last->when_) {
        up(hole, last);
    } else {
        down(hole, last);
    }
}

void Timers::run(Time now) {
    while (!heap_.empty() && heap_.front()->when_ <= now) {
        Timer& due = *heap_.front();
        disarm(due);
        due.fire_(due);
    }
}

}  // namespace penstock::ring
