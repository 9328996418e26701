// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/state_dir.hpp"

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::daemon;

TEST_CASE("state: one daemon per folder, which is made with its parents") {
    const test::TestFolder folder;
    const std::string path = folder.text() + "/a/b/";
    {
        const auto first = StateDir::open(path);
        REQUIRE(first.ok());
        CHECK(first->file("control.sock") == folder.text() + "/a/b/control.sock");
        const auto second = StateDir::open(path);
        REQUIRE_FALSE(second.ok());
        CHECK(second.error().code == Errc::exists);
    }
    CHECK(StateDir::open(path).ok());
}

TEST_CASE("state: a folder that cannot be made is told with a hint") {
    const test::TestFolder folder;
    folder.write("file", "x");
    const auto state = StateDir::open(folder.text() + "/file/under");
    REQUIRE_FALSE(state.ok());
    CHECK(state.error().hint.find("--state-dir") != std::string::npos);
}
