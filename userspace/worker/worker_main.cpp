// SPDX-License-Identifier: Apache-2.0
// penstock-worker --slots N --ring KIND --ktls WISH: started by the keeper, which gives it a channel (schema/keeper.hpp).
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "schema/keeper.hpp"
#include "userspace/base/log.hpp"
#include "userspace/tls/library.hpp"
#include "userspace/worker/confine.hpp"
#include "userspace/worker/worker.hpp"

namespace {

using namespace penstock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers read files, start threads and trace the process.
Status confine() { return Error{.code = Errc::unsupported, .what = "this build has sanitizers, which need what the filter forbids"}; }
#else
Status confine() { return worker::confine(); }
#endif

bool parse(int argc, char** argv, worker::Config& config) {
    for (int i = 1; i < argc; i += 2) {
        const std::string_view flag = argv[i];
        if (i + 1 >= argc) {
            return false;
        }
        const std::string_view value = argv[i + 1];
        if (flag == "--slots") {
            const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), config.slots);
            if (error != std::errc() || config.slots == 0 || config.slots > kStatsSlotsMax) {
                return false;
            }
        } else if (flag == "--ring" && (value == "auto" || value == "io_uring" || value == "epoll")) {
            config.ring = value == "auto" ? ring::Kind::automatic : value == "epoll" ? ring::Kind::epoll : ring::Kind::io_uring;
        } else if (flag == "--ktls" && (value == "off" || value == "auto")) {
            config.kernel_tls = value == "auto";
        } else {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    log::set_program(keeper::kWorkerProgram);
    std::signal(SIGPIPE, SIG_IGN);
    worker::Config config;
    const char* channel = std::getenv(keeper::kKeeperFdEnv);
    if (!parse(argc, argv, config) || channel == nullptr) {
        std::fputs("usage: penstock-worker [--slots N] [--ring auto|io_uring|epoll] [--ktls off|auto]\nIt is started by penstock-keeper.\n", stderr);
        return keeper::kExitUsage;
    }
    tls::load_library();
    config.confine = confine;
    worker::Worker worker(std::move(config));
    if (auto served = worker.run(Fd(std::atoi(channel))); !served.ok()) {
        std::fprintf(stderr, "%s\n", served.error().report().c_str());
        return keeper::kExitFailed;
    }
    return 0;
}
