// SPDX-License-Identifier: Apache-2.0
#include "userspace/worker/confine.hpp"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

namespace penstock::worker {

namespace {

// Harmless whatever they are given, as nothing but sockets, sealed memory, pipes and files to read can be had.
constexpr std::array kCalls = {
    // sockets
    SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
    // descriptors
    SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(lseek), SCMP_SYS(newfstatat), SCMP_SYS(pread64), SCMP_SYS(read), SCMP_SYS(readv),
    SCMP_SYS(splice), SCMP_SYS(write), SCMP_SYS(writev),
    // waiting
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait),
    SCMP_SYS(futex), SCMP_SYS(io_uring_enter), SCMP_SYS(nanosleep), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield),
    // memory
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(munmap),
    // the process itself: its end, its signals, what it may ask
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(getcpu), SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(gettid), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_getaffinity), SCMP_SYS(set_robust_list), SCMP_SYS(sigaltstack),
};

// Allowed where one argument, masked, is a value.
struct Limited {
    int call;
    unsigned argument;
    scmp_datum_t mask;
    scmp_datum_t value;
};

constexpr scmp_datum_t kWhole = 0xffffffff;  // of an int

std::array<Limited, 13> limited_calls() {
    return {{{SCMP_SYS(socket), 0, kWhole, AF_INET},
             {SCMP_SYS(socket), 0, kWhole, AF_INET6},
             {SCMP_SYS(mmap), 2, PROT_EXEC, 0},
             {SCMP_SYS(mprotect), 2, PROT_EXEC, 0},
             {SCMP_SYS(openat), 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
             {SCMP_SYS(fcntl), 1, kWhole, F_DUPFD_CLOEXEC},
             {SCMP_SYS(fcntl), 1, kWhole, F_GETFL},
             {SCMP_SYS(fcntl), 1, kWhole, F_SETFL},
             {SCMP_SYS(fcntl), 1, kWhole, F_SETFD},
             {SCMP_SYS(fcntl), 1, kWhole, F_GET_SEALS},
             {SCMP_SYS(fcntl), 1, kWhole, F_SETPIPE_SZ},
             {SCMP_SYS(pipe2), 1, kWhole, O_CLOEXEC | O_NONBLOCK},
             {SCMP_SYS(tgkill), 0, kWhole, static_cast<scmp_datum_t>(::getpid())}}};  // abort()
}

struct Release {
    void operator()(void* filter) const { seccomp_release(filter); }
};

// libseccomp gives negative error numbers; those of the kernel are reported as they are with API level 2.5's SYSRAWRC.
Status done(int result, const char* what) {
    if (result == 0) {
        return success();
    }
    return sys_error_of(-result, what, "the kernel needs CONFIG_SECCOMP_FILTER, and a container's own profile must allow seccomp");
}

Status load_filter() {
    const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
    if (filter == nullptr) {
        return done(-ENOMEM, "make a seccomp filter");
    }
    PST_TRY(done(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1), "set a seccomp filter for all threads"));
    PST_TRY(done(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), "make a seccomp filter"));
    // Nobody's code runs in here, so kernels before 5.16 need not slow down every branch (SSBD) for the filter's sake.
    PST_TRY(done(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_SSB, 1), "make a seccomp filter"));
    PST_TRY(done(seccomp_attr_set(filter.get(), SCMP_FLTATR_API_SYSRAWRC, 1), "make a seccomp filter"));
    for (const int call : kCalls) {
        PST_TRY(done(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "make a seccomp filter"));
    }
    for (const Limited& limited : limited_calls()) {
        const scmp_arg_cmp only = {limited.argument, SCMP_CMP_MASKED_EQ, limited.mask, limited.value};
        PST_TRY(done(seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, limited.call, 1, &only), "make a seccomp filter"));
    }
    return done(seccomp_load(filter.get()), "load the seccomp filter");
}

}  // namespace

Status confine() {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return sys_error("give up new privileges");
    }
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        return sys_error("refuse tracers and core dumps");
    }
    return load_filter();
}

}  // namespace penstock::worker
