// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/uring.hpp"

#include <linux/time_types.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "userspace/base/assert.hpp"

namespace penstock::ring {

namespace {

// Newer than Debian 12's kernel headers.
constexpr unsigned kSetupNoSqArray = 1U << 16;   // 6.6
constexpr unsigned kFeatureMinTimeout = 1U << 15;  // 6.12

struct WaitArgument {
    std::uint64_t sigmask;
    std::uint32_t sigmask_size, min_wait_us;
    std::uint64_t timeout;
};

long ring_register(int fd, unsigned what, const void* argument, unsigned count) {
    return ::syscall(__NR_io_uring_register, fd, what, argument, count);
}

// A ring is a way around the process's seccomp filter: what goes through it is no system call. So it can do what the engine does with
// sockets, and nothing with files, whoever writes its entries.
constexpr std::array kOperations = {IORING_OP_READ, IORING_OP_ASYNC_CANCEL, IORING_OP_RECV, IORING_OP_RECVMSG, IORING_OP_SEND,
                                    IORING_OP_SENDMSG, IORING_OP_CONNECT, IORING_OP_CLOSE, IORING_OP_ACCEPT, IORING_OP_POLL_ADD};
constexpr std::uint8_t kEntryFlags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS;

Error refused(int why) {
    std::string hint;
    if (why == EPERM) {
        int disabled = 0;
        std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled;
        hint = disabled != 0 ? "kernel.io_uring_disabled is " + std::to_string(disabled)
                             : "a seccomp profile forbids it: containers need one that allows io_uring_*";
    } else if (why == ENOSYS) {
        hint = "this kernel has no io_uring, or a seccomp profile hides it";
    } else if (why == EINVAL) {
        hint = "the kernel is older than 6.1";
    } else if (why == ENOMEM) {
        hint = "raise the limit of locked memory";
    }
    Error error = sys_error_of(why, "io_uring_setup", std::move(hint));
    error.code = why == EPERM ? Errc::denied : why == EINVAL || why == ENOSYS ? Errc::unsupported : Errc::kernel;
    return error;
}

}  // namespace

Uring::~Uring() {
    fd_.reset();  // first: the kernel must not fill what is unmapped
    for (const Mapped& m : mapped_) {
        ::munmap(m.at, m.size);
    }
}

Status Uring::setup(unsigned entries, io_uring_params& params) {
    constexpr unsigned base = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER |
                              IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED;
    for (const unsigned extra : {kSetupNoSqArray, 0U}) {
        params = {};
        params.flags = base | extra;
        params.cq_entries = entries * 4;
        fd_ = Fd(static_cast<int>(::syscall(__NR_io_uring_setup, entries, &params)));
        if (fd_.valid()) {
            return success();
        }
        if (errno != EINVAL) {
            break;
        }
    }
    return refused(errno);
}

Result<char*> Uring::map(std::size_t size, std::uint64_t what) {
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_.get(), static_cast<off_t>(what));
    if (at == MAP_FAILED) {
        return sys_error("map the io_uring");
    }
    mapped_.push_back({at, size});
    return static_cast<char*>(at);
}

Status Uring::open(unsigned entries) {
    io_uring_params params{};
    PST_TRY(setup(entries, params));
    if ((params.features & IORING_FEAT_SINGLE_MMAP) == 0 || (params.features & IORING_FEAT_EXT_ARG) == 0) {
        return refused(EINVAL);
    }
    min_wait_ = (params.features & kFeatureMinTimeout) != 0;
    const bool sq_array = (params.flags & kSetupNoSqArray) == 0;
    const std::size_t cq_end = params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe);
    const std::size_t sq_end = sq_array ? params.sq_off.array + params.sq_entries * sizeof(unsigned) : 0;
    PST_TRY_ASSIGN(char* const rings, map(std::max(cq_end, sq_end), IORING_OFF_SQ_RING));
    PST_TRY_ASSIGN(char* const sqes, map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    const auto at = [rings](unsigned offset) { return reinterpret_cast<unsigned*>(rings + offset); };
    sq_head_ = at(params.sq_off.head);
    sq_tail_ = at(params.sq_off.tail);
    sq_flags_ = at(params.sq_off.flags);
    cq_head_ = at(params.cq_off.head);
    cq_tail_ = at(params.cq_off.tail);
    cqes_ = reinterpret_cast<io_uring_cqe*>(rings + params.cq_off.cqes);
    sqes_ = reinterpret_cast<io_uring_sqe*>(sqes);
    sq_entries_ = params.sq_entries;
    cq_mask_ = params.cq_entries - 1;
    for (unsigned i = 0; sq_array && i < sq_entries_; i++) {
        at(params.sq_off.array)[i] = i;
    }
    io_uring_rsrc_update self{};
    self.offset = ~0U;
    self.data = static_cast<std::uint64_t>(fd_.get());
    enter_fd_ = fd_.get();
    if (ring_register(fd_.get(), IORING_REGISTER_RING_FDS, &self, 1) == 1) {
        enter_fd_ = static_cast<int>(self.offset);
        enter_flags_ = IORING_ENTER_REGISTERED_RING;
    }
    return enable();
}

// Within its restrictions, from the calling thread alone.
Status Uring::enable() {
    std::array<io_uring_restriction, kOperations.size() + 2> allowed{};
    for (std::size_t i = 0; i < kOperations.size(); ++i) {
        allowed[i].opcode = IORING_RESTRICTION_SQE_OP;
        allowed[i].sqe_op = static_cast<std::uint8_t>(kOperations[i]);
    }
    auto* last = &allowed[kOperations.size()];
    last[0].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    last[0].sqe_flags = kEntryFlags;
    last[1].opcode = IORING_RESTRICTION_REGISTER_OP;
    last[1].register_op = IORING_REGISTER_PBUF_RING;
    if (ring_register(fd_.get(), IORING_REGISTER_RESTRICTIONS, allowed.data(), static_cast<unsigned>(allowed.size())) != 0) {
        return sys_error("restrict the io_uring");
    }
    if (ring_register(fd_.get(), IORING_REGISTER_ENABLE_RINGS, nullptr, 0) != 0) {
        return sys_error("enable the io_uring");
    }
    return success();
}

Result<io_uring_buf_ring*> Uring::buffer_ring(unsigned count, std::uint16_t group) {
    const std::size_t size = count * sizeof(io_uring_buf);
    void* at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) {
        return sys_error("map a buffer ring");
    }
    mapped_.push_back({at, size});
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(at);
    registration.ring_entries = count;
    registration.bgid = group;
    if (ring_register(fd_.get(), IORING_REGISTER_PBUF_RING, &registration, 1) != 0) {
        return sys_error("register a buffer ring", "the kernel is older than 5.19");
    }
    return static_cast<io_uring_buf_ring*>(at);
}

void Uring::enter(unsigned wait, Time until, unsigned min_wait_us) {
    std::atomic_ref(*sq_tail_).store(tail_, std::memory_order_release);
    WaitArgument argument{};
    __kernel_timespec span{};
    unsigned flags = IORING_ENTER_GETEVENTS | enter_flags_;
    const bool bounded = wait > 0 && until != kNever;
    if (bounded) {
        const auto left = left_until(until);
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        span.tv_sec = seconds.count();
        span.tv_nsec = (left - seconds).count();
        argument.timeout = reinterpret_cast<std::uint64_t>(&span);
    }
    argument.min_wait_us = min_wait_ && wait > 1 ? min_wait_us : 0;
    const bool extended = bounded || argument.min_wait_us != 0;
    flags |= extended ? IORING_ENTER_EXT_ARG : 0;
    const long done = ::syscall(__NR_io_uring_enter, enter_fd_, tail_ - submitted_, wait, flags,
                                extended ? &argument : nullptr, extended ? sizeof argument : 0);
    if (done > 0) {
        submitted_ += static_cast<unsigned>(done);
    }
    PST_ASSERT(done >= 0 || errno == EINTR || errno == EBUSY || errno == EAGAIN || errno == ETIME || errno == ENOMEM);
    // What was submitted before a timeout or signal is not told by the result: the queue's head knows.
    submitted_ = load(sq_head_);
}

bool Uring::waits_on_nonblocking() {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()) != 0) {
        return false;
    }
    const Fd ours(pair[0]);
    Fd peer(pair[1]);
    char byte = 0;
    io_uring_sqe& sqe = entry();
    sqe.opcode = IORING_OP_RECV;
    sqe.fd = ours.get();
    sqe.addr = reinterpret_cast<std::uint64_t>(&byte);
    sqe.len = 1;
    int result = 1;
    const auto take = [&result](const io_uring_cqe& completion) { result = completion.res; };
    enter(0, kNever, 0);
    const bool waits = drain(take) == 0;
    peer.reset();
    while (result == 1) {
        enter(1, kNever, 0);
        drain(take);
    }
    return waits && result == 0;
}

}  // namespace penstock::ring
