// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder_files.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::source;

TEST_CASE("folder: only visible manifests count, sorted by name") {
    const test::TestFolder folder;
    for (const char* name : {"b.yaml", "a.yml", "c.json", ".hidden.yaml", "d.txt", "e.yaml~", "README.md"}) {
        folder.write(name, name);
    }
    std::filesystem::create_directory(folder.path() / "sub");
    folder.write("sub/f.yaml", "not read");
    const auto files = read_folder(folder.text());
    REQUIRE(files.ok());
    std::string names;
    for (const FolderFile& file : *files) {
        names += file.name + ",";
        CHECK(file.text == file.name);
        CHECK_FALSE(file.error);
    }
    CHECK(names == "a.yml,b.yaml,c.json,");
}

TEST_CASE("folder: what cannot be read is named and does not hide its neighbours") {
    const test::TestFolder folder;
    folder.write("good.yaml", "x");
    folder.write("large.yaml", std::string(100, 'x'));
    std::filesystem::create_directory(folder.path() / "folder.yaml");
    std::filesystem::create_symlink("nowhere", folder.path() / "dangling.yaml");
    REQUIRE(::mkfifo((folder.path() / "pipe.yaml").c_str(), 0600) == 0);
    const auto files = read_folder(folder.text(), {.file_bytes_max = 50});
    REQUIRE(files.ok());
    REQUIRE(files->size() == 5);
    for (const FolderFile& file : *files) {
        INFO(file.name);
        CHECK(file.error.has_value() == (file.name != "good.yaml"));
    }
    CHECK(files->back().error->code == Errc::invalid);
    CHECK_FALSE(read_folder(folder.text() + "/absent").ok());
}

TEST_CASE("folder: limits on files and on their sum") {
    const test::TestFolder folder;
    folder.write("a.yaml", "1234");
    folder.write("b.yaml", "1234");
    folder.write("c.yaml", "1");
    auto files = read_folder(folder.text(), {.total_bytes_max = 6});
    REQUIRE(files.ok());
    CHECK_FALSE(files->at(0).error);
    CHECK(files->at(1).error);
    CHECK_FALSE(files->at(2).error);
    files = read_folder(folder.text(), {.files_max = 2});
    REQUIRE(files.ok());
    CHECK(files->at(2).error->code == Errc::limit);
}
