// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/board.hpp"

#include <thread>

#include "tools/test/catch.hpp"

using namespace penstock::daemon;
using std::chrono::milliseconds;

TEST_CASE("board: a wait ends when the generation is taken, when the time is up and when the daemon stops") {
    Board board;
    board.set({.wanted = 3, .applied = 2, .taken = 1});
    CHECK(board.wait_taken(1, milliseconds(0)));
    CHECK_FALSE(board.wait_taken(2, milliseconds(1)));
    std::thread setter([&] { board.set({.wanted = 3, .applied = 3, .taken = 3}); });
    CHECK(board.wait_taken(3, milliseconds(60'000)));
    setter.join();
    std::thread closer([&] { board.close(); });
    CHECK_FALSE(board.wait_taken(4, milliseconds(60'000)));
    closer.join();
}

TEST_CASE("board: numbers never fall") {
    Board board;
    board.set({.wanted = 3, .applied = 3, .taken = 3});
    board.set({.wanted = 4, .applied = 2, .taken = 1});
    CHECK(board.get() == Generation{.wanted = 4, .applied = 3, .taken = 3});
}
