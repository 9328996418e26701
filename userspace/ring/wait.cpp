// SPDX-License-Identifier: Apache-2.0
// Sleeping, readiness of foreign descriptors, events.
#include "userspace/base/assert.hpp"
#include "userspace/ring/state.hpp"
#include "userspace/ring/sync.hpp"

namespace penstock::ring {

SleepWait::Alarm::Alarm(SleepWait& owner)
    : Timer([](Timer& timer) { static_cast<Alarm&>(timer).wait.finish(0); }), wait(owner) {}

SleepWait::SleepWait(Loop& loop, Time until) : loop_(loop), until_(until), alarm_(*this) {}

SleepWait::~SleepWait() {
    PST_ASSERT(!waiting());
    loop_.timers().disarm(alarm_);
}

bool SleepWait::start(Scope& scope, std::coroutine_handle<> who) {
    if (!begin(scope, who)) {
        return false;
    }
    loop_.timers().arm(alarm_, until_);
    return true;
}

void SleepWait::on_cancel(int error) {
    loop_.timers().disarm(alarm_);
    finish(error);
}

ReadyWait::Deadline::Deadline(ReadyWait& owner)
    : Timer([](Timer& timer) { static_cast<Deadline&>(timer).wait.cancel(ETIMEDOUT); }), wait(owner) {}

ReadyWait::ReadyWait(Loop& loop, int fd, Time deadline) : loop_(loop), fd_(fd), until_(deadline), deadline_(*this) {}

ReadyWait::ReadyWait(SocketState& socket, For what, Time deadline)
    : loop_(socket.loop), socket_(&socket), fd_(socket.fd), what_(what), until_(deadline), deadline_(*this) {}

ReadyWait::~ReadyWait() {
    PST_ASSERT(!waiting());
    loop_.timers().disarm(deadline_);
}

bool ReadyWait::start(Scope& scope, std::coroutine_handle<> who) {
    if (!begin(scope, who)) {
        return false;
    }
    if (socket_ != nullptr) {
        PST_ASSERT(socket_->ready_wait(what_) == nullptr);
        socket_->ready_wait(what_) = this;
    }
    loop_.timers().arm(deadline_, until_);
    Internals::engine(loop_).watch(*this);
    return true;
}

void ReadyWait::on_cancel(int error) {
    cancel_error_ = error;
    Internals::engine(loop_).unwatch(*this);
}

EventWait::Deadline::Deadline(EventWait& owner)
    : Timer([](Timer& timer) { static_cast<Deadline&>(timer).wait.cancel(ETIMEDOUT); }), wait(owner) {}

EventWait::EventWait(Event& event, Time deadline) : event_(event), until_(deadline), deadline_(*this) {}

EventWait::~EventWait() {
    PST_ASSERT(!waiting());
    event_.loop_.timers().disarm(deadline_);
}

bool EventWait::start(Scope& scope, std::coroutine_handle<> who) {
    PST_ASSERT(event_.waiter_ == nullptr);
    if (event_.signalled_ && scope.cancelled() == 0) {
        event_.signalled_ = false;
        return false;
    }
    if (!begin(scope, who)) {
        return false;
    }
    event_.waiter_ = this;
    event_.loop_.timers().arm(deadline_, until_);
    return true;
}

void EventWait::on_cancel(int error) {
    event_.waiter_ = nullptr;
    finish(error);
}

Event::~Event() { PST_ASSERT(waiter_ == nullptr); }

void Event::signal() {
    if (EventWait* waiter = std::exchange(waiter_, nullptr)) {
        waiter->finish(0);
    } else {
        signalled_ = true;
    }
}

}  // namespace penstock::ring
