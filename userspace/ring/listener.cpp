// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/assert.hpp"
#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {
constexpr Duration kRetryAfter = std::chrono::milliseconds(50);  // out of descriptors: somebody must close first
}

ListenerState::Retry::Retry(ListenerState& owner)
    : Timer([](Timer& timer) { static_cast<Retry&>(timer).listener.resume(); }), listener(owner) {}

ListenerState::ListenerState(Loop& owner, Fd descriptor) : loop(owner), fd(std::move(descriptor)), retry(*this) {}

bool ListenerState::allowed() const { return Internals::accepted(loop) < loop.options().accepted_max; }

void ListenerState::accepted(int socket) {
    if (closed) {
        ::close(socket);
        return;
    }
    backlog.push_back(socket);
    Internals::counters(loop).accepted++;
    if (waiter != nullptr && allowed()) {
        waiter->finish(0);
    }
    if (full() && !paused) {
        paused = true;
        Internals::counters(loop).accept_pauses++;
        Internals::engine(loop).stop(*this);
    }
}

void ListenerState::failed(int why) {
    if (closed || stopped || why == ECONNABORTED || why == ECANCELED || why == EINTR || why == EAGAIN) {
        return;
    }
    Internals::counters(loop).accept_errors++;
    loop.timers().arm(retry, loop.after(kRetryAfter));
}

void ListenerState::resume() {
    if (!closed && !stopped && !full()) {
        paused = false;
        Internals::engine(loop).accept(*this);
    }
}

bool ListenerState::full() const { return Internals::accepted(loop) + backlog.size() >= loop.options().accepted_max; }

void ListenerState::idle() {
    if (stopped && waiter != nullptr) {
        waiter->finish(backlog.empty() ? ECANCELED : 0);
    }
}

void ListenerState::stop() {
    if (!stopped) {
        stopped = true;
        loop.timers().disarm(retry);
        Internals::engine(loop).stop(*this);
    }
    if (!armed) {
        idle();
    }
}

void ListenerState::close() {
    closed = stopped = true;
    loop.timers().disarm(retry);
    for (const int socket : backlog) {
        ::close(socket);
    }
    backlog.clear();
    if (waiter != nullptr) {
        std::exchange(waiter, nullptr)->abandon();
    }
    Internals::engine(loop).close(*this);
}

AcceptWait::~AcceptWait() {
    PST_ASSERT(!waiting());
    if (listener_ != nullptr && listener_->waiter == this) {
        listener_->waiter = nullptr;
    }
}

bool AcceptWait::start(Scope& scope, std::coroutine_handle<> who) {
    ListenerState& l = *listener_;
    PST_ASSERT(l.waiter == nullptr);
    if (scope.cancelled() != 0) {
        l.stop();
    } else if (l.backlog.empty()) {
        l.resume();
    }
    if (l.ready() && Internals::spend_immediate(l.loop)) {
        return false;
    }
    if (l.backlog.empty() && l.stopped && !l.armed) {
        error_ = ECANCELED;
        return false;
    }
    l.waiter = this;
    if (l.stopped) {
        begin_uncancellable(l.loop, who);  // what the kernel has accepted already must not be lost
    } else {
        begin(scope, who);
    }
    if (l.ready()) {
        finish(0);
    }
    return true;
}

void AcceptWait::on_cancel(int) { listener_->stop(); }

void AcceptWait::abandon() {
    listener_ = nullptr;
    if (waiting()) {
        finish(ECANCELED);
    } else {
        error_ = ECANCELED;
    }
}

Opened AcceptWait::await_resume() {
    if (listener_ == nullptr) {
        return {Socket(), ECANCELED};
    }
    ListenerState& l = *std::exchange(listener_, nullptr);
    l.waiter = nullptr;
    if (l.backlog.empty()) {
        return {Socket(), error_ != 0 ? error_ : ECANCELED};
    }
    const int fd = l.backlog.front();
    l.backlog.pop_front();
    int error = 0;
    SocketState* socket = Internals::open(l.loop, fd, false, error);
    if (socket == nullptr) {
        return {Socket(), error};
    }
    Internals::accepted(l.loop)++;
    socket->accepted = socket->writable = true;
    return {Socket(*socket), 0};
}

Listener& Listener::operator=(Listener&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
}

void Listener::stop() { state_->stop(); }

void Listener::close() {
    if (state_ != nullptr) {
        std::exchange(state_, nullptr)->close();
    }
}

int Listener::fd() const { return state_->fd.get(); }

}  // namespace penstock::ring
