// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/files.hpp"

#include <filesystem>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;

TEST_CASE("files: one is written whole, with the mode asked for") {
    const test::TestFolder folder;
    const std::string path = folder.text() + "/state";
    REQUIRE(write_file(path, "first", 0600).ok());
    REQUIRE(write_file(path, "second", 0600).ok());
    CHECK(read_file(path, 100).value() == "second");
    CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::all) ==
          (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    CHECK_FALSE(write_file(folder.text() + "/no/such/folder", "x", 0600).ok());
}
