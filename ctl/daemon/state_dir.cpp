// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/state_dir.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace penstock::daemon {

Result<std::string> StateDir::make(const std::string& path) {
    std::error_code failure;
    std::string whole = std::filesystem::absolute(path, failure).lexically_normal().string();
    while (whole.size() > 1 && whole.ends_with('/')) {
        whole.pop_back();
    }
    std::filesystem::create_directories(whole, failure);
    if (failure) {
        return sys_error_of(failure.value(), fmt::format("make the state folder {}", whole), "choose a folder that you may write with --state-dir");
    }
    return whole;
}

Result<StateDir> StateDir::open(const std::string& path) {
    PST_TRY_ASSIGN(const std::string whole, make(path));
    Fd lock(::open((whole + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock.valid()) {
        return sys_error(fmt::format("open {}/lock", whole), "choose a folder that you may write with --state-dir");
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            return Error{.code = Errc::exists, .what = fmt::format("another penstockd runs with the state folder {}", whole),
                         .hint = "stop it, or choose another --state-dir"};
        }
        return sys_error(fmt::format("lock {}/lock", whole));
    }
    return StateDir(whole, std::move(lock));
}

}  // namespace penstock::daemon
