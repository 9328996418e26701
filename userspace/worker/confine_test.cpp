// SPDX-License-Identifier: Apache-2.0
// Each try is made in a child process of its own, as confinement is for good.
#include "userspace/worker/confine.hpp"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <thread>

#include "tools/test/catch.hpp"

using namespace penstock;

namespace {

constexpr int kNotConfined = 99;
constexpr int kErrno = 100;  // 100 + errno: no exit code of a sanitizer

// What `attempt` gives in a confined process: 0 or an errno. Only system calls from there on: a sanitizer's runtime is confined, too.
int confined(const std::function<long()>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (!worker::confine().ok()) {
            ::_exit(kNotConfined);
        }
        errno = 0;
        ::_exit(kErrno + (attempt() < 0 ? errno : 0));
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) >= kErrno);
    return WEXITSTATUS(status) - kErrno;
}

}  // namespace

TEST_CASE("confine: writing files, processes, foreign sockets, executable memory, rings and privileges are refused") {
    struct Row {
        const char* name;
        std::function<long()> attempt;
    };
    char* const nothing[] = {nullptr};
    io_uring_params params = {};
    const Row rows[] = {
        {"open a file to write", [] { return ::syscall(SYS_openat, AT_FDCWD, "/tmp/pst-confine-test", O_WRONLY | O_CREAT, 0600); }},
        {"make a file", [] { return ::syscall(SYS_openat, AT_FDCWD, "/tmp/pst-confine-test", O_RDONLY | O_CREAT, 0600); }},
        {"empty a file", [] { return ::syscall(SYS_openat, AT_FDCWD, "/tmp/pst-confine-test", O_RDONLY | O_TRUNC, 0); }},
        {"a file without a name", [] { return ::syscall(SYS_openat, AT_FDCWD, "/tmp", O_RDWR | O_TMPFILE, 0600); }},
        {"open by the old call", [] { return ::syscall(SYS_open, "/etc/passwd", O_RDONLY, 0); }},
        {"remove a file", [] { return ::syscall(SYS_unlinkat, AT_FDCWD, "/tmp/pst-confine-test", 0); }},
        {"rename a file", [] { return ::syscall(SYS_rename, "/tmp/pst-confine-a", "/tmp/pst-confine-b"); }},
        {"run a program", [&] { return ::syscall(SYS_execve, "/bin/true", nothing, nothing); }},
        {"make a process", [] { return ::syscall(SYS_fork); }},
        {"make a thread", [] { return ::syscall(SYS_clone, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0); }},
        {"signal another process", [] { return ::syscall(SYS_kill, ::getppid(), 0); }},
        {"signal a thread of another process", [] { return ::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0); }},
        {"trace another process", [] { return ::syscall(SYS_ptrace, 16, ::getppid(), 0, 0); }},
        {"read another process's memory", [] { return ::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0); }},
        {"a pipe of another kind", [] { int ends[2]; return ::syscall(SYS_pipe2, ends, O_CLOEXEC | O_DIRECT); }},
        {"a packet socket", [] { return ::syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0); }},
        {"a Unix socket", [] { return ::syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0); }},
        {"a netlink socket", [] { return ::syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0); }},
        {"memory to run", [] { return ::syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }},
        {"make memory run", [&] { return ::syscall(SYS_mprotect, reinterpret_cast<std::uintptr_t>(&params) & ~4095UL, 4096, PROT_READ | PROT_EXEC); }},
        {"a new ring", [&] { return ::syscall(SYS_io_uring_setup, 2, &params); }},
        {"another filter", [] { return ::syscall(SYS_seccomp, 0, 0, nullptr); }},
        {"be dumped again", [] { return ::syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0); }},
        {"BPF", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
        {"another namespace", [] { return ::syscall(SYS_unshare, 0); }},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        CHECK(confined(row.attempt) == EPERM);
    }
}

TEST_CASE("confine: sockets, memory, time and reading files are as before, also for threads that ran already") {
    CHECK(confined([] { return ::syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }) == 0);
    CHECK(confined([] { return ::syscall(SYS_socket, AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0); }) == 0);
    CHECK(confined([] { return ::syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }) == 0);
    CHECK(confined([] { return ::syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0); }) == 0);
    CHECK(confined([] { return ::syscall(SYS_fcntl, 0, F_DUPFD_CLOEXEC, 10); }) == 0);

    const pid_t child = ::fork();
    if (child == 0) {
        std::atomic<int> stage = 0;
        std::thread other([&] {
            stage = 1;
            while (stage == 1) {
                ::sched_yield();
            }
            ::_exit(kErrno + (::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY, 0) < 0 ? errno : 0));
        });
        while (stage == 0) {
            ::sched_yield();
        }
        if (!worker::confine().ok()) {
            ::_exit(kNotConfined);
        }
        stage = 2;
        for (;;) {
            ::sched_yield();
        }
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == kErrno + EPERM);
}

TEST_CASE("confine: a process that may set no filter is told so with a hint") {
    const pid_t child = ::fork();
    if (child == 0) {
        // The first filter forbids the second.
        const auto second = worker::confine().ok() ? worker::confine() : success();
        ::_exit(!second.ok() && second.error().code == Errc::denied ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}
