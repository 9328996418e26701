// SPDX-License-Identifier: Apache-2.0
// What coroutines of one loop wait for between themselves: an event, two tasks at once, the scope they run in.
#pragma once

#include <coroutine>
#include <optional>
#include <utility>

#include "userspace/ring/loop.hpp"

namespace penstock::ring {

class Event;

class EventWait final : public Awaitable {
public:
    EventWait(Event& event, Time deadline);
    EventWait(const EventWait&) = delete;
    ~EventWait();
    int await_resume() const { return error_; }

private:
    friend class Event;
    struct Deadline : Timer {
        explicit Deadline(EventWait& owner);
        EventWait& wait;
    };
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    Event& event_;
    Time until_;
    Deadline deadline_;
};

// Auto-reset; one waiter at a time. A signal without a waiter is kept for the next wait.
class Event {
public:
    explicit Event(Loop& loop) : loop_(loop) {}
    Event(const Event&) = delete;
    ~Event();
    void signal();
    // co_await: 0, ETIMEDOUT or the error of the scope.
    [[nodiscard]] EventWait wait(Time deadline = kNever) { return {*this, deadline}; }
    [[nodiscard]] bool waited() const { return waiter_ != nullptr; }

private:
    friend class EventWait;
    Loop& loop_;
    EventWait* waiter_ = nullptr;
    bool signalled_ = false;
};

// Any number of tasks that wait for the same thing. Outlives them.
class Broadcast {
public:
    // 0, ETIMEDOUT or the error of the scope.
    Task<int> wait(Loop& loop, Time deadline) {
        Waiting waiting(loop);
        waiting_.push_back(waiting);
        const int waited = co_await waiting.event.wait(deadline);
        waiting.unlink();
        co_return waited;
    }
    // Wakes those who wait now.
    void signal() {
        while (!waiting_.empty()) {
            waiting_.pop_front().event.signal();
        }
    }

    [[nodiscard]] bool waited() const { return !waiting_.empty(); }

private:
    struct Waiting : ListNode {
        explicit Waiting(Loop& loop) : event(loop) {}
        Event event;
    };
    List<Waiting> waiting_;
};

// co_await this_scope(): the Scope& that the calling task runs in.
struct ThisScope {
    Scope* scope = nullptr;
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> who) {
        scope = &who.promise().scope();
        return false;
    }
    Scope& await_resume() const { return *scope; }
};
inline ThisScope this_scope() { return {}; }

// co_await both(a, b): runs both at once, in the caller's scope unless they have their own; ends when both have ended.
class [[nodiscard]] both {
public:
    both(Task<> first, Task<> second) : first_(std::move(first)), second_(std::move(second)) {}
    both(const both&) = delete;

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> who) {
        who_ = who;
        start(std::move(first_), who.promise().scope());
        start(std::move(second_), who.promise().scope());
        return --left_ != 0;
    }
    void await_resume() const noexcept {}

private:
    struct Branch {
        struct promise_type : PromiseBase {
            promise_type(both&, Scope& scope, Task<>&) { set_scope(&scope); }
            Branch get_return_object() { return {}; }
            std::suspend_never initial_suspend() noexcept { return {}; }
            std::suspend_never final_suspend() noexcept { return {}; }
            void return_void() {}
        };
    };
    Branch run(Scope& scope, Task<> task) {
        (void)scope;  // read by the promise's constructor
        co_await std::move(task);
        if (--left_ == 0) {
            who_.resume();  // `this` is gone afterwards
        }
    }
    void start(Task<> task, Scope& scope) { run(scope, std::move(task)); }

    Task<> first_, second_;
    std::coroutine_handle<> who_;
    int left_ = 3;  // the two, and the start
};

}  // namespace penstock::ring
