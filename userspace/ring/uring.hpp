// SPDX-License-Identifier: Apache-2.0
// An io_uring by raw system calls: set-up, submission, completion, one buffer ring per pool. liburing of Debian 12 knows
// neither NO_SQARRAY nor the minimal wait, and its inline calls would be all that is left to use.
#pragma once

#include <linux/io_uring.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"
#include "userspace/ring/buffer.hpp"
#include "userspace/ring/timer.hpp"

namespace penstock::ring {

class Uring {
public:
    Uring() = default;
    Uring(const Uring&) = delete;
    ~Uring();

    // `entries` of the submission queue; four times as many completions. The ring knows what the engine does with sockets, and no more.
    Status open(unsigned entries);
    // A ring of `count` free buffers as group `group`. Kept until the end.
    Result<io_uring_buf_ring*> buffer_ring(unsigned count, std::uint16_t group);

    // Whether a receive on a socket that does not block waits all the same, as it does unless it says MSG_DONTWAIT: what is spliced must not
    // block. Only while nothing else is with the kernel.
    bool waits_on_nonblocking();

    // A zeroed entry; submits when the queue is full.
    io_uring_sqe& entry() {
        while (tail_ - load(sq_head_) == sq_entries_) {
            enter(0, kNever, 0);
        }
        io_uring_sqe& sqe = sqes_[tail_++ & (sq_entries_ - 1)];
        std::memset(&sqe, 0, sizeof sqe);
        return sqe;
    }

    // Submits. With `wait` > 0 waits for that many completions, until `until`; with a minimal wait (where the kernel has it)
    // for that long, then for one.
    void enter(unsigned wait, Time until, unsigned min_wait_us);

    // Calls `handle` for each completion; returns their number.
    template <class Handle>
    unsigned drain(Handle&& handle) {
        unsigned head = *cq_head_;
        const unsigned first = head;
        for (const unsigned tail = load(cq_tail_); head != tail;) {
            const io_uring_cqe completion = cqes_[head & cq_mask_];
            std::atomic_ref(*cq_head_).store(++head, std::memory_order_release);
            handle(completion);
        }
        return head - first;
    }

    [[nodiscard]] bool overflown() const { return (load(sq_flags_) & IORING_SQ_CQ_OVERFLOW) != 0; }
    [[nodiscard]] bool has_min_wait() const { return min_wait_; }

private:
    static unsigned load(unsigned* at) { return std::atomic_ref(*at).load(std::memory_order_acquire); }
    Status setup(unsigned entries, io_uring_params& params);
    Status enable();
    Result<char*> map(std::size_t size, std::uint64_t what);

    struct Mapped {
        void* at;
        std::size_t size;
    };

    Fd fd_;
    int enter_fd_ = -1;
    unsigned enter_flags_ = 0, sq_entries_ = 0, cq_mask_ = 0, tail_ = 0, submitted_ = 0;
    bool min_wait_ = false;
    unsigned *sq_head_ = nullptr, *sq_tail_ = nullptr, *sq_flags_ = nullptr, *cq_head_ = nullptr, *cq_tail_ = nullptr;
    io_uring_sqe* sqes_ = nullptr;
    io_uring_cqe* cqes_ = nullptr;
    std::vector<Mapped> mapped_;
};

}  // namespace penstock::ring
