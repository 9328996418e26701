// SPDX-License-Identifier: Apache-2.0
// penstockd: reads its command line, comes to live under a keeper, opens the machine, and runs the daemon's loop.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <ctime>

#include "ctl/daemon/control_server.hpp"
#include "ctl/daemon/daemon.hpp"
#include "ctl/daemon/kernel_machine.hpp"
#include "ctl/daemon/launch.hpp"
#include "ctl/daemon/session_keys.hpp"
#include "schema/keeper.hpp"
#include "userspace/base/log.hpp"
#include "userspace/base/version.hpp"

namespace {

using namespace penstock;
using namespace penstock::daemon;

Result<Fd> signals_of_ours() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    // Before any thread is started, so that all inherit it.
    if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
        return sys_error("block signals");
    }
    Fd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd.valid()) {
        return sys_error("open a signal descriptor");
    }
    return fd;
}

// SIGHUP looks again. SIGINT ends this node's service: the keeper sends it when it ends, and a terminal to both. SIGTERM ends this daemon
// alone: its successor goes on with what is there.
void on_signals(int signals, Loop& loop, Daemon& daemon) {
    signalfd_siginfo info = {};
    while (::read(signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            daemon.look_again();
        } else if (info.ssi_signo == SIGINT) {
            daemon.leave();
        } else {
            loop.stop();
        }
    }
}

Status serve(const Options& options, Fd keeper) {
    PST_TRY_ASSIGN(const Fd signals, signals_of_ours());
    PST_TRY_ASSIGN(const StateDir state, StateDir::open(options.state_dir));
    PST_TRY_ASSIGN(auto loop, Loop::open());
    PST_TRY_ASSIGN(auto keys, session_keys(state, options.session_keys));
    PST_TRY_ASSIGN(auto machine, KernelMachine::open(*loop, options, std::move(keys), std::move(keeper)));
    Daemon daemon(*loop, *machine, state, options, [] { return static_cast<std::int64_t>(::time(nullptr)); });
    PST_TRY(daemon.start());
    PST_TRY(loop->watch(signals.get(), [&] { on_signals(signals.get(), *loop, daemon); }));
    PST_TRY_ASSIGN(auto control, ControlServer::start(state.file("control.sock"), [&daemon](const ApiRequest& request) { return serve_api(daemon, request); }));
    log::info("version {}, control socket {}", build_text(kVersion, kCommit), state.file("control.sock"));
    PST_TRY(machine->tell_ready());
    loop->run();
    daemon.stop();
    return success();
}

int fail(const Error& error) {
    std::fprintf(stderr, "%s\n", error.report().c_str());
    return keeper::kExitFailed;
}

}  // namespace

int main(int argc, char** argv) {
    log::set_program(keeper::kDaemonProgram);
    std::signal(SIGPIPE, SIG_IGN);
    auto parsed = parse_options(argc, argv);
    if (const auto* leave = std::get_if<Leave>(&parsed)) {
        std::fputs(leave->text.c_str(), leave->exit_code == 0 ? stdout : stderr);
        return leave->exit_code;
    }
    const Options options = std::get<Options>(std::move(parsed));
    log::set_level(options.log_level);
    if (options.detach) {
        auto detached = apply::Edge::detach(options.pin_dir);
        return detached.ok() ? 0 : fail(detached.error());
    }
    auto keeper = inherited_keeper();
    if (!keeper.ok()) {
        return fail(keeper.error());
    }
    if (!*keeper) {
        return fail(become_keeper(argc, argv, options));
    }
    auto served = serve(options, std::move(**keeper));
    return served.ok() ? 0 : fail(served.error());
}
