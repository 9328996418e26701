// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace penstock::ring {

namespace {

std::ptrdiff_t splice_between(int from, int to, std::size_t most) {
    for (;;) {
        const ssize_t n = ::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (n >= 0 || errno != EINTR) {
            return n >= 0 ? n : -errno;
        }
    }
}

}  // namespace

std::ptrdiff_t Pipe::fill(int from, std::size_t most) {
    const std::ptrdiff_t n = splice_between(from, in_.get(), most);
    held_ += n > 0 ? static_cast<std::size_t>(n) : 0;
    return n;
}

std::ptrdiff_t Pipe::empty(int to) {
    const std::ptrdiff_t n = splice_between(out_.get(), to, held_);
    held_ -= n > 0 ? static_cast<std::size_t>(n) : 0;
    return n;
}

Pipe Pipes::take() {
    if (out_ >= max_) {
        return {};
    }
    if (!idle_.empty()) {
        Pipe pipe = std::move(idle_.back());
        idle_.pop_back();
        out_++;
        return pipe;
    }
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
        return {};
    }
    Pipe pipe{Fd(ends[0]), Fd(ends[1])};
    ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(bytes_));  // refused beyond the user's share (pipe(7)): it works with less, too
    out_++;
    return pipe;
}

void Pipes::give(Pipe pipe) {
    if (!pipe.open()) {
        return;
    }
    out_--;
    if (pipe.held() == 0) {
        idle_.push_back(std::move(pipe));
    }
}

}  // namespace penstock::ring
