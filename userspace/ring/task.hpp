// SPDX-License-Identifier: Apache-2.0
// Task<T>: a lazy coroutine, awaited once by its caller, to which it returns by symmetric transfer. It runs in the scope of
// its caller unless `in` names another. Detached work starts with Loop::spawn.
// GCC 12 destroys a task that was never made in `co_await a() && co_await b()`: write two statements.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "userspace/base/assert.hpp"
#include "userspace/ring/frames.hpp"
#include "userspace/ring/scope.hpp"

namespace penstock::ring {

class PromiseBase {
public:
    static void* operator new(std::size_t bytes) { return frame_allocate(bytes); }
    static void operator delete(void* frame, std::size_t bytes) { frame_free(frame, bytes); }
    [[noreturn]] void unhandled_exception() { std::terminate(); }

    [[nodiscard]] Scope& scope() const { return *scope_; }
    void set_scope(Scope* scope) { scope_ = scope; }
    [[nodiscard]] bool has_scope() const { return scope_ != nullptr; }
    void set_caller(std::coroutine_handle<> caller) { caller_ = caller; }

    struct ToCaller {
        bool await_ready() noexcept { return false; }
        template <class Promise>
        std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> done) noexcept {
            return done.promise().caller_;
        }
        void await_resume() noexcept {}
    };
    std::suspend_always initial_suspend() noexcept { return {}; }
    ToCaller final_suspend() noexcept { return {}; }

private:
    Scope* scope_ = nullptr;
    std::coroutine_handle<> caller_;
};

template <class T>
class TaskPromise : public PromiseBase {
public:
    void return_value(T value) { value_.emplace(std::move(value)); }
    T take() { return std::move(*value_); }

private:
    std::optional<T> value_;
};

template <>
class TaskPromise<void> : public PromiseBase {
public:
    void return_void() {}
    void take() {}
};

template <class T = void>
class [[nodiscard]] Task {
public:
    struct promise_type : TaskPromise<T> {
        Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    };
    using Handle = std::coroutine_handle<promise_type>;

    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (handle_) {
            handle_.destroy();
        }
    }

    // Runs the task in `scope`, which must outlive it.
    Task&& in(Scope& scope) && {
        handle_.promise().set_scope(&scope);
        return std::move(*this);
    }

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) {
        auto& promise = handle_.promise();
        promise.set_caller(caller);
        if (!promise.has_scope()) {
            promise.set_scope(&caller.promise().scope());
        }
        return handle_;
    }
    T await_resume() { return handle_.promise().take(); }

    [[nodiscard]] Handle release() { return std::exchange(handle_, nullptr); }

private:
    explicit Task(Handle handle) : handle_(handle) {}
    Handle handle_;
};

}  // namespace penstock::ring
