// SPDX-License-Identifier: Apache-2.0
// penstock-keeper [options] -- /path/of/penstockd ARGS
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>

#include "schema/keeper.hpp"
#include "schema/stats_page.hpp"
#include "userspace/base/log.hpp"
#include "userspace/keeper/keeper.hpp"

namespace {

using namespace penstock;

constexpr std::string_view kUsage =
    "usage: penstock-keeper [--workers N] [--ring auto|io_uring|epoll] [--ktls off|auto] [--worker-user NAME]\n"
    "                       [--worker-binary PATH] [--access-log FILE] [--hand-over SOCKET] [--drain-ms N]\n"
    "                       -- DAEMON [ARGUMENTS]\n"
    "Keeps the listening sockets and the configuration; starts the daemon and the workers, and starts them again.\n"
    "SIGHUP replaces the worker without losing a connection; SIGUSR1 opens the access log anew; SIGTERM drains and ends.\n";

struct Flags {
    std::uint32_t workers = 0;
    std::string ring = "auto";
    std::string ktls = "off";
    std::string user;
    std::string binary;
    std::string access_log;
    std::string hand_over;
    std::int64_t drain_ms = 30'000;
    std::vector<std::string> daemon;
};

template <class Number>
bool number(const char* text, Number& out) {
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), out);
    return error == std::errc() && *end == '\0';
}

bool parse(int argc, char** argv, Flags& flags) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view flag = argv[i];
        if (flag == "--") {
            flags.daemon.assign(argv + i + 1, argv + argc);
            return !flags.daemon.empty();
        }
        if (i + 1 >= argc) {
            return false;
        }
        const char* value = argv[++i];
        if (flag == keeper::kFlagWorkers) {
            if (!number(value, flags.workers) || flags.workers > kStatsSlotsMax) {
                return false;
            }
        } else if (flag == keeper::kFlagDrainMs) {
            if (!number(value, flags.drain_ms) || flags.drain_ms < 0 || flags.drain_ms > 86'400'000) {
                return false;
            }
        } else if (flag == keeper::kFlagRing) {
            flags.ring = value;
        } else if (flag == keeper::kFlagKtls) {
            flags.ktls = value;
        } else if (flag == keeper::kFlagWorkerUser) {
            flags.user = value;
        } else if (flag == keeper::kFlagWorkerBinary) {
            flags.binary = value;
        } else if (flag == keeper::kFlagAccessLog) {
            flags.access_log = value;
        } else if (flag == keeper::kFlagHandOver) {
            flags.hand_over = value;
        } else {
            return false;
        }
    }
    return false;
}

std::string beside_us(const char* program) {
    std::error_code error;
    return std::filesystem::read_symlink("/proc/self/exe", error).replace_filename(program).string();
}

Result<keeper::Config> configure(const Flags& flags) {
    keeper::Config config;
    config.daemon = flags.daemon;
    config.slots = flags.workers != 0 ? flags.workers : std::clamp(std::thread::hardware_concurrency(), 1U, kStatsSlotsMax);
    config.drain_ms = flags.drain_ms;
    config.access_log = flags.access_log;
    config.hand_over = flags.hand_over;
    config.worker = {flags.binary.empty() ? beside_us(keeper::kWorkerProgram) : flags.binary, "--slots", std::to_string(config.slots), "--ring", flags.ring, "--ktls", flags.ktls};
    if (::geteuid() == 0) {
        PST_TRY_ASSIGN(auto user, keeper::worker_user(flags.user));
        config.worker_as = std::move(user);
    }
    return config;
}

}  // namespace

int main(int argc, char** argv) {
    log::set_program(keeper::kKeeperProgram);
    Flags flags;
    if (!parse(argc, argv, flags)) {
        std::fputs(kUsage.data(), stderr);
        return keeper::kExitUsage;
    }
    auto config = configure(flags);
    if (!config.ok()) {
        std::fprintf(stderr, "%s\n", config.error().report().c_str());
        return keeper::kExitFailed;
    }
    keeper::Keeper the_keeper(std::move(config).value());
    auto code = the_keeper.run();
    if (!code.ok()) {
        std::fprintf(stderr, "%s\n", code.error().report().c_str());
        return keeper::kExitFailed;
    }
    return *code;
}
