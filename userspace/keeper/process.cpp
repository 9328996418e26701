// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/process.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "schema/keeper.hpp"
#include "userspace/base/channel.hpp"

extern char** environ;

namespace penstock::keeper {

namespace {

constexpr int kChannelFd = 3;

// Everything that the child does between fork and exec: no allocation, no lock, only system calls.
[[noreturn]] void become(const Command& command, char* const* argv, char* const* environment, int channel, pid_t parent) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    if (command.files_max != 0) {
        raise_files(command.files_max);
    }
    if (command.user) {
        if (::setgroups(0, nullptr) != 0 || ::setresgid(command.user->gid, command.user->gid, command.user->gid) != 0 ||
            ::setresuid(command.user->uid, command.user->uid, command.user->uid) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            ::_exit(126);
        }
    }
    // After the change of user, which clears it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) {
        ::_exit(126);
    }
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDIN_FILENO);
    if (channel == kChannelFd) {
        ::fcntl(channel, F_SETFD, 0);
    } else {
        ::dup2(channel, kChannelFd);
    }
    ::syscall(SYS_close_range, kChannelFd + 1, ~0U, 0);
    ::execve(argv[0], argv, environment);
    ::_exit(127);
}

std::vector<std::string> child_environment() {
    std::vector<std::string> environment;
    const std::string own = std::string(kKeeperFdEnv) + "=";
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::strncmp(*entry, own.c_str(), own.size()) != 0) {
            environment.emplace_back(*entry);
        }
    }
    environment.push_back(own + std::to_string(kChannelFd));
    return environment;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) {
        result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
}

}  // namespace

Result<User> worker_user(const std::string& name) {
    for (const std::string& candidate : name.empty() ? std::vector<std::string>{"penstock", "nobody"} : std::vector<std::string>{name}) {
        if (const passwd* entry = ::getpwnam(candidate.c_str()); entry != nullptr) {
            return User{entry->pw_uid, entry->pw_gid, candidate};
        }
    }
    return Error{.code = Errc::not_found, .what = "find the user " + (name.empty() ? "penstock or nobody" : name), .hint = "create it, or name another by --worker-user"};
}

void raise_files(rlim_t files) {
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    rlimit wish = {.rlim_cur = files, .rlim_max = std::max(limit.rlim_max, files)};
    if (::setrlimit(RLIMIT_NOFILE, &wish) != 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

Result<Process> start(const Command& command) {
    PST_TRY_ASSIGN(auto ends, channel_pair());
    std::vector<std::string> argv = command.argv;
    std::vector<std::string> environment = child_environment();
    const std::vector<char*> argv_pointers = pointers(argv);
    const std::vector<char*> environment_pointers = pointers(environment);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        return sys_error("start " + command.argv[0]);
    }
    if (pid == 0) {
        become(command, argv_pointers.data(), environment_pointers.data(), ends.second.get(), parent);
    }
    Process process{.pid = pid, .pidfd = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), .channel = std::move(ends.first)};
    if (!process.pidfd.valid()) {
        const Error error = sys_error("watch " + command.argv[0]);
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return error;
    }
    return process;
}

Ended reap(const Process& process) {
    int status = 0;
    if (::waitpid(process.pid, &status, WNOHANG) != process.pid) {
        return {};
    }
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        return {true, -1, "signal " + std::to_string(number) + " (" + strsignal(number) + ")"};
    }
    return {true, WEXITSTATUS(status), "exit " + std::to_string(WEXITSTATUS(status))};
}

std::int64_t now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace penstock::keeper
