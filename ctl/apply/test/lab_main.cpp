// SPDX-License-Identifier: Apache-2.0
// Entry of the tests that need root: everything happens in a network namespace of this process.
#define CATCH_CONFIG_RUNNER
#include "tools/test/catch.hpp"

#include <sched.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "ctl/apply/test/lab.hpp"

int main(int argc, char** argv) {
    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0) {
        std::puts("skipped: cannot make network namespaces: needs root");
        return 77;
    }
    if (access("/sbin/ip", X_OK) != 0 && access("/usr/bin/ip", X_OK) != 0 && access("/bin/ip", X_OK) != 0) {
        std::puts("skipped: needs iproute2");
        return 77;
    }
    std::signal(SIGPIPE, SIG_IGN);
    penstock::lab::sh("ip link set lo up");
    return Catch::Session().run(argc, argv);
}
