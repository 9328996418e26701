// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/session_keys.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::daemon;

TEST_CASE("session_keys: without any a daemon makes its own, which only it may read, and finds it again") {
    const test::TestFolder folder;
    const test::TestFolder other;
    std::string id;
    for (int start = 0; start < 2; ++start) {
        const auto state = StateDir::open(folder.text());
        REQUIRE(state.ok());
        const auto keys = session_keys(*state, {});
        REQUIRE(keys.ok());
        REQUIRE(keys->size() == 1);
        CHECK(keys->front().key->reveal().size() == 32);
        CHECK(keys->front().id.starts_with("sessions/"));
        CHECK((id.empty() || id == keys->front().id));
        id = keys->front().id;
        struct stat about = {};
        REQUIRE(::stat(state->file("session_key").c_str(), &about) == 0);
        CHECK((about.st_mode & 0777) == 0600);
    }
    const auto state = StateDir::open(other.text());
    REQUIRE(state.ok());
    const auto keys = session_keys(*state, {});
    REQUIRE(keys.ok());
    CHECK(keys->front().id != id);
}

TEST_CASE("session_keys: files that are named, in their order") {
    const test::TestFolder folder;
    const auto state = StateDir::open(folder.text() + "/state");
    REQUIRE(state.ok());
    folder.write("new", std::string(32, 'n'));
    folder.write("old", std::string(100, 'o'));
    folder.write("short", std::string(31, 's'));
    const auto keys = session_keys(*state, {folder.text() + "/new", folder.text() + "/old"});
    REQUIRE(keys.ok());
    REQUIRE(keys->size() == 2);
    CHECK(keys->at(0).key->reveal() == std::string(32, 'n'));
    CHECK(keys->at(1).key->reveal() == std::string(100, 'o'));
    CHECK(::access(state->file("session_key").c_str(), F_OK) != 0);
    for (const char* bad : {"/short", "/missing", ""}) {  // the folder has a short one
        const auto none = session_keys(*state, {folder.text() + "/new", folder.text() + bad});
        REQUIRE_FALSE(none.ok());
        CHECK(none.error().report().find("--session-key") != std::string::npos);
        CHECK(none.error().report().find("sss") == std::string::npos);
    }
}

TEST_CASE("session_keys: a folder's files by their names, as a mounted Secret has them; of an empty one the daemon's own") {
    const test::TestFolder folder;
    const auto state = StateDir::open(folder.text() + "/state");
    REQUIRE(state.ok());
    for (const char* name : {"/keys", "/keys/..data", "/none"}) {
        REQUIRE(::mkdir((folder.text() + name).c_str(), 0700) == 0);
    }
    folder.write("keys/..data/b", std::string(32, 'b'));
    folder.write("keys/a", std::string(32, 'a'));
    REQUIRE(::symlink("..data/b", (folder.text() + "/keys/b").c_str()) == 0);
    const auto keys = session_keys(*state, {folder.text() + "/keys"});
    REQUIRE(keys.ok());
    REQUIRE(keys->size() == 2);
    CHECK(keys->at(0).key->reveal() == std::string(32, 'a'));
    CHECK(keys->at(1).key->reveal() == std::string(32, 'b'));
    CHECK(::access(state->file("session_key").c_str(), F_OK) != 0);

    const auto own = session_keys(*state, {folder.text() + "/none"});
    REQUIRE(own.ok());
    CHECK(own->size() == 1);
    CHECK(::access(state->file("session_key").c_str(), F_OK) == 0);
}
