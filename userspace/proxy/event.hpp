// SPDX-License-Identifier: Apache-2.0
// Waiting for a task that was started beside this one. The wait cannot be cancelled: the other task refers to the waiter's frame, so
// it is cancelled itself, through its scope, and then waited for.
#pragma once

#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

class Event final : public ring::Awaitable {
public:
    explicit Event(ring::Loop& loop) : loop_(loop) {}
    ~Event() = default;

    void set() {
        set_ = true;
        if (waiting()) {
            finish(0);
        }
    }
    [[nodiscard]] bool is_set() const { return set_; }
    int await_resume() const { return error(); }

private:
    bool start(ring::Scope&, std::coroutine_handle<> who) override {
        if (set_) {
            return false;
        }
        begin_uncancellable(loop_, who);
        return true;
    }
    ring::Loop& loop_;
    bool set_ = false;
};

}  // namespace penstock::proxy
