// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/scope.hpp"

#include "userspace/base/assert.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::ring {

bool Waiter::begin(Scope& scope, std::coroutine_handle<> who) {
    PST_ASSERT(!waiting_);
    if (scope.cancelled() != 0) {
        error_ = scope.cancelled();
        return false;
    }
    begin_uncancellable(scope.loop(), who);
    scope.waiters_.push_back(*this);
    return true;
}

void Waiter::begin_uncancellable(Loop& loop, std::coroutine_handle<> who) {
    who_ = who;
    loop_ = &loop;
    waiting_ = true;
}

void Waiter::finish(int error) {
    if (!waiting_) {
        return;
    }
    waiting_ = false;
    unlink();
    error_ = error;
    *loop_->ready_last_ = this;
    loop_->ready_last_ = &ready_next_;
}

void Waiter::cancel(int error) {
    if (!waiting_ || cancelling_) {
        return;
    }
    cancelling_ = true;
    unlink();
    on_cancel(error);
}

Scope::Deadline::Deadline(Scope& owner)
    : Timer([](Timer& timer) { static_cast<Deadline&>(timer).scope.cancel(ETIMEDOUT); }), scope(owner) {}

Scope::Scope(Loop& loop) : Scope(loop.root()) {}

Scope::Scope(Scope& parent) : loop_(parent.loop_), cancelled_(parent.cancelled_), deadline_(*this) {
    parent.children_.push_back(*this);
}

Scope::Scope(Loop& loop, Root) : loop_(loop), deadline_(*this) {}

Scope::~Scope() {
    PST_ASSERT(waiters_.empty() && children_.empty());
    loop_.timers().disarm(deadline_);
    unlink();
}

void Scope::cancel(int error) {
    if (cancelled_ != 0) {
        return;
    }
    cancelled_ = error;
    loop_.timers().disarm(deadline_);
    while (!waiters_.empty()) {
        waiters_.front().cancel(error);
    }
    children_.for_each([error](Scope& child) { child.cancel(error); });
}

void Scope::set_deadline(Time when) {
    if (cancelled_ == 0) {
        loop_.timers().arm(deadline_, when);
    }
}

}  // namespace penstock::ring
