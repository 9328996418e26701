// SPDX-License-Identifier: Apache-2.0
// The API server in memory as a program, for tests of whole nodes: pst-fake-api ADDRESS PORT. It starts empty; objects come by server-side apply.
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "tools/test/api_server.hpp"

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: pst-fake-api ADDRESS PORT\n");
        return 2;
    }
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    const penstock::test::ApiServer server(argv[1], std::atoi(argv[2]));
    std::printf("ready at %s\n", server.url().c_str());
    std::fflush(stdout);
    int signal = 0;
    ::sigwait(&set, &signal);
    return 0;
}
