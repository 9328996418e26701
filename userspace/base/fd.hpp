// SPDX-License-Identifier: Apache-2.0
// Fd owns one file descriptor and closes it. Moves only.
#pragma once

#include <unistd.h>

#include <utility>

namespace penstock {

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}  // takes ownership; a negative number is "none"
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset(std::exchange(other.fd_, -1));
        }
        return *this;
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool valid() const { return fd_ >= 0; }
    // Gives up ownership.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    void reset(int fd = -1) {
        if (fd_ >= 0) {
            ::close(fd_);
        }
        fd_ = fd;
    }
    // A second descriptor (close-on-exec) of the same file; none on failure.
    [[nodiscard]] Fd duplicate() const;

private:
    int fd_ = -1;
};

}  // namespace penstock
