// SPDX-License-Identifier: Apache-2.0
// Result<T> and Error: how our own failures travel. Not for verdicts of packets (enum pst_verdict) and not for faults of the
// user's resources (typed conditions, an output of compile). Nothing here throws; an Error is printed once, in main.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace penstock {

enum class Errc {
    invalid,      // the input is wrong: a manifest, a flag, a message
    not_found,    // what was named does not exist
    exists,       // it is there already, or belongs to somebody else
    denied,       // privileges are missing
    limit,        // a bound of ours was reached
    unsupported,  // this kernel, version or build cannot do it
    timeout,      // it took longer than allowed
    kernel,       // a system call failed, see sys_errno
    internal      // our bug
};

struct [[nodiscard]] Error {
    Errc code = Errc::internal;
    std::string what;   // what was attempted, with the object's name: "write pst_vips[10.0.0.1:443]"
    std::string hint;   // what the operator can do; may be empty
    int sys_errno = 0;  // of the failed call; 0 if none
    std::vector<std::string> context;  // innermost first, one entry per layer

    // Adds one layer's context: "apply plan".
    Error in(std::string where) && {
        context.push_back(std::move(where));
        return std::move(*this);
    }
    // "apply plan: write pst_vips[...]": context and what, without cause and hint.
    [[nodiscard]] std::string message() const;
    // "message: cause" on one line, where there is no room for more: in conditions and diagnostics.
    [[nodiscard]] std::string sentence() const;
    // The operator's form, several lines without a final newline: error, caused by, hint.
    [[nodiscard]] std::string report() const;
};

// An Error of a failed system call; reads errno, so call it first thing after the failure.
Error sys_error(std::string what, std::string hint = {});
Error sys_error_of(int sys_errno, std::string what, std::string hint = {});

struct Unit {};

template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    // Undefined (an exception of std::variant ends the process) if !ok().
    [[nodiscard]] T& value() & { return std::get<0>(state_); }
    [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
    [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
    [[nodiscard]] T& operator*() & { return value(); }
    [[nodiscard]] const T& operator*() const& { return value(); }
    [[nodiscard]] T* operator->() { return &value(); }
    [[nodiscard]] const T* operator->() const { return &value(); }
    [[nodiscard]] T value_or(T other) && { return ok() ? std::move(*this).value() : std::move(other); }

    // Undefined if ok().
    [[nodiscard]] Error& error() & { return std::get<1>(state_); }
    [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
    [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<T, Error> state_;
};

using Status = Result<Unit>;
inline Status success() { return Unit{}; }

}  // namespace penstock

#define PST_JOIN_(a, b) a##b
#define PST_JOIN(a, b) PST_JOIN_(a, b)

// Returns the error of a Status or Result expression from the calling function.
#define PST_TRY(expression)                                                   \
    do {                                                                      \
        if (auto pst_try = (expression); !pst_try.ok()) {                     \
            return std::move(pst_try).error();                                \
        }                                                                     \
    } while (false)

// PST_TRY_ASSIGN(auto fd, open_it()): binds the value or returns the error. Two statements: always inside braces.
#define PST_TRY_ASSIGN(declaration, expression) PST_TRY_ASSIGN_(PST_JOIN(pst_try_, __COUNTER__), declaration, expression)
#define PST_TRY_ASSIGN_(name, declaration, expression) \
    auto name = (expression);                          \
    if (!name.ok()) {                                  \
        return std::move(name).error();                \
    }                                                  \
    declaration = std::move(name).value()
