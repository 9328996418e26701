// SPDX-License-Identifier: Apache-2.0
// Children: started with one channel to us and nothing else, watched by pidfd, workers without privileges.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::keeper {

struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name;
};

// The user that workers run as. An empty name: `penstock` if it exists, else `nobody`.
Result<User> worker_user(const std::string& name);

inline constexpr rlim_t kFilesMax = 1U << 20;

struct Command {
    std::vector<std::string> argv;  // argv[0] is a path
    std::optional<User> user;       // given up to this user, without capabilities and new privileges; nothing: as we are
    rlim_t files_max = 0;           // RLIMIT_NOFILE to ask for; 0: as it is
};

struct Process {
    pid_t pid = -1;
    Fd pidfd;    // readable when it has ended
    Fd channel;  // our end
};

// Asks for so many descriptors, or for all that may be had without a privilege. Async-signal-safe.
void raise_files(rlim_t files);

// The child gets stdin from /dev/null, stdout and stderr of ours, its end of the channel in kKeeperFdEnv, and no other descriptor.
// It is killed when we die. A program that cannot be executed ends with 127.
Result<Process> start(const Command& command);

// How a child that has ended did so: "exit 1", "signal 9 (Killed)"; empty while it runs. Reaps it.
struct Ended {
    bool ended = false;
    int exit_code = -1;  // -1: by signal
    std::string text;
};
Ended reap(const Process& process);

// Of the monotonic clock, by which processes are started, awaited and killed.
std::int64_t now_ms();

}  // namespace penstock::keeper
