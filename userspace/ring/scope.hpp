// SPDX-License-Identifier: Apache-2.0
// Scope: what may be given up together. Every wait of a coroutine is registered in the scope that its task runs in; cancelling
// the scope ends these waits, and all later ones in it, with an error. Nothing is destroyed from outside: a cancelled coroutine
// returns through its own code, so its memory and sockets are released in order. One thread only.
#pragma once

#include <cerrno>
#include <coroutine>

#include "userspace/ring/list.hpp"
#include "userspace/ring/timer.hpp"

namespace penstock::ring {

class Loop;
class Scope;

// A suspended wait. Lies in the awaiting coroutine's frame; it ends exactly once, by finish(), and is resumed by the loop
// after the events of the turn were taken, never from inside another wait's completion.
class Waiter : public ListNode {
public:
    [[nodiscard]] int error() const { return error_; }  // 0 or an errno value
    [[nodiscard]] bool waiting() const { return waiting_; }
    // Idempotent. The second and later calls do nothing.
    void finish(int error);
    // Asks for an early end with `error`. The default ends at once; operations whose memory the kernel still
    // uses override on_cancel and end when the kernel has let go.
    void cancel(int error);

protected:
    Waiter() = default;
    ~Waiter() = default;
    // Registers. False: the scope is cancelled; error() says why, do not start the operation.
    bool begin(Scope& scope, std::coroutine_handle<> who);
    virtual void on_cancel(int error) { finish(error); }
    // For what must end by itself although the scope is cancelled.
    void begin_uncancellable(Loop& loop, std::coroutine_handle<> who);

    int error_ = 0;

private:
    friend class Loop;
    std::coroutine_handle<> who_;
    Loop* loop_ = nullptr;
    Waiter* ready_next_ = nullptr;
    bool waiting_ = false;
    bool cancelling_ = false;
};

class Scope : public ListNode {
public:
    explicit Scope(Loop& loop);    // a child of the loop's root scope: ends when the loop stops
    explicit Scope(Scope& parent);
    ~Scope();  // nothing may wait in it any more

    // Ends all waits here and in the scopes below with `error`; so do later ones. The first error stays.
    void cancel(int error = ECANCELED);
    // Cancels with ETIMEDOUT when it passes. kNever takes it back. Does nothing once cancelled.
    void set_deadline(Time when);
    [[nodiscard]] int cancelled() const { return cancelled_; }  // 0 or the error
    [[nodiscard]] Loop& loop() const { return loop_; }

private:
    friend class Loop;
    friend class Waiter;
    struct Root {};
    Scope(Loop& loop, Root);

    struct Deadline : Timer {
        explicit Deadline(Scope& owner);
        Scope& scope;
    };

    Loop& loop_;
    int cancelled_ = 0;
    List<Waiter> waiters_;
    List<Scope> children_;
    Deadline deadline_;
};

}  // namespace penstock::ring
