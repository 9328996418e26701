// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/launch.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "schema/keeper.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

TEST_CASE("launch: the keeper beside us starts us with our own arguments") {
    Options options;
    options.workers = 3;
    options.ring = "epoll";
    CHECK(keeper_command("/opt/bin/penstockd", {"--config", "/m"}, options) ==
          std::vector<std::string>{"/opt/bin/penstock-keeper", "--workers", "3", "--ring", "epoll", "--ktls", "off", "--", "/opt/bin/penstockd", "--config", "/m"});
    options.worker_user = "edge";
    options.access_log = "/var/log/a";
    options.hand_over = true;
    options.state_dir = "/run/p";
    CHECK(keeper_command("/opt/bin/penstockd", {}, options) ==
          std::vector<std::string>{"/opt/bin/penstock-keeper", "--workers", "3", "--ring", "epoll", "--ktls", "off", "--worker-user", "edge", "--access-log", "/var/log/a", "--hand-over", "/run/p/keeper.sock", "--", "/opt/bin/penstockd"});
}

TEST_CASE("launch: a keeper's socket is taken, anything else under its name is refused") {
    ::unsetenv(keeper::kKeeperFdEnv);
    auto none = inherited_keeper();
    REQUIRE(none.ok());
    CHECK_FALSE(none->has_value());

    int ends[2] = {};
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    const Fd other(ends[1]);
    ::setenv(keeper::kKeeperFdEnv, std::to_string(ends[0]).c_str(), 1);
    auto taken = inherited_keeper();
    REQUIRE(taken.ok());
    REQUIRE(taken->has_value());
    CHECK((*taken)->get() == ends[0]);
    CHECK((::fcntl(ends[0], F_GETFD) & FD_CLOEXEC) != 0);

    for (const char* value : {"", "x", "99999", "1x"}) {
        INFO(value);
        ::setenv(keeper::kKeeperFdEnv, value, 1);
        CHECK_FALSE(inherited_keeper().ok());
    }
    ::unsetenv(keeper::kKeeperFdEnv);
}
