// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/launch.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "ctl/daemon/state_dir.hpp"
#include "schema/keeper.hpp"

namespace penstock::daemon {

Result<std::optional<Fd>> inherited_keeper() {
    const char* text = std::getenv(keeper::kKeeperFdEnv);
    if (text == nullptr) {
        return std::optional<Fd>();
    }
    int fd = -1;
    const auto [end, failure] = std::from_chars(text, text + std::strlen(text), fd);
    int type = 0;
    socklen_t size = sizeof(type);
    if (failure != std::errc() || *end != '\0' || ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
        return Error{.code = Errc::invalid, .what = fmt::format("{}={} is no socket to a keeper", keeper::kKeeperFdEnv, text),
                     .hint = "unset it: penstockd starts its keeper itself"};
    }
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return std::optional<Fd>(Fd(fd));
}

std::vector<std::string> keeper_command(const std::string& self, const std::vector<std::string>& arguments, const Options& options) {
    const std::filesystem::path keeper = std::filesystem::path(self).replace_filename(keeper::kKeeperProgram);
    std::vector<std::string> command = {keeper.string(), keeper::kFlagWorkers, std::to_string(options.workers), keeper::kFlagRing, options.ring,
                                        keeper::kFlagKtls, options.ktls};
    if (!options.worker_user.empty()) {
        command.insert(command.end(), {keeper::kFlagWorkerUser, options.worker_user});
    }
    if (!options.access_log.empty()) {
        command.insert(command.end(), {keeper::kFlagAccessLog, options.access_log});
    }
    if (options.hand_over) {
        command.insert(command.end(), {keeper::kFlagHandOver, options.state_dir + "/keeper.sock"});
    }
    command.push_back("--");
    command.push_back(self);
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

Error become_keeper(int argc, const char* const* argv, const Options& options) {
    std::error_code failure;
    const std::string self = std::filesystem::read_symlink("/proc/self/exe", failure).string();
    if (failure) {
        return sys_error_of(failure.value(), "read /proc/self/exe");
    }
    Options whole = options;
    if (options.hand_over) {
        auto made = StateDir::make(options.state_dir);  // before its daemon lives, the keeper listens there
        if (!made.ok()) {
            return made.error();
        }
        whole.state_dir = *made;
    }
    std::vector<std::string> command = keeper_command(self, {argv + 1, argv + argc}, whole);
    std::vector<char*> words;
    for (std::string& word : command) {
        words.push_back(word.data());
    }
    words.push_back(nullptr);
    ::execv(words.front(), words.data());
    return sys_error(fmt::format("start {}", command.front()), "penstock-keeper must lie beside penstockd");
}

}  // namespace penstock::daemon
