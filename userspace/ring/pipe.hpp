// SPDX-License-Identifier: Apache-2.0
// Pipes that bytes go through from one socket to another without a copy in our memory (splice(2)). Lent to who has bytes in
// them: an idle stream holds none. splice(2) has no MSG_NOSIGNAL: a loop splices only where SIGPIPE is not left to kill the process.
#pragma once

#include <cstddef>
#include <vector>

#include "userspace/base/fd.hpp"

namespace penstock::ring {

class Pipe {
public:
    Pipe() = default;  // none
    Pipe(Fd out, Fd in) : out_(std::move(out)), in_(std::move(in)) {}

    [[nodiscard]] bool open() const { return in_.valid(); }
    [[nodiscard]] std::size_t held() const { return held_; }  // bytes that have not left it

    // As splice(2): bytes, 0 for the end of what `from` has, or -errno (-EAGAIN: nothing now). Of an empty pipe.
    std::ptrdiff_t fill(int from, std::size_t most);
    // As much as `to` takes: bytes, or -errno (-EAGAIN: no room now).
    std::ptrdiff_t empty(int to);

private:
    Fd out_, in_;
    std::size_t held_ = 0;
};

class Pipes {
public:
    Pipes(std::size_t max, std::size_t bytes) : max_(max), bytes_(bytes) {}

    // None if `max` are out, or the kernel gives no more.
    Pipe take();
    // Kept for the next one if nothing is left in it. None may be given.
    void give(Pipe pipe);
    [[nodiscard]] std::size_t out() const { return out_; }
    void forbid() { max_ = 0; }

private:
    std::size_t max_, bytes_, out_ = 0;
    std::vector<Pipe> idle_;
};

}  // namespace penstock::ring
