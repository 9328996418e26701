// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder_watch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <functional>
#include <set>
#include <string>

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::source;
namespace fs = std::filesystem;

namespace {
const FolderWatch::Time kStart = FolderWatch::Time() + std::chrono::hours(1);
}

TEST_CASE("watch: every way to change a manifest is seen, and nothing else") {
    const test::TestFolder folder;
    folder.write("a.yaml", "1");
    struct Row {
        const char* name;
        std::function<void()> act;
        bool seen;
    };
    const Row rows[] = {
        {"nothing", [] {}, false},
        {"a new file", [&] { folder.write("b.yaml", "1"); }, true},
        {"written in place", [&] { folder.write("a.yaml", "2"); }, true},
        {"renamed over", [&] { folder.replace("a.yaml", "3"); }, true},
        {"removed", [&] { folder.remove("b.yaml"); }, true},
        {"made unreadable", [&] { fs::permissions(folder.path() / "a.yaml", fs::perms::none); }, true},
        {"nothing again", [] {}, false},
    };
    auto watch = FolderWatch::open(folder.text());
    REQUIRE(watch.ok());
    for (const Row& row : rows) {
        INFO(row.name);
        row.act();
        CHECK(watch->drain(kStart).any() == row.seen);
        CHECK_FALSE(watch->drain(kStart).any());
    }
}

TEST_CASE("watch: files are named while all of them are plain; where there are symlinks anything may have changed") {
    const test::TestFolder folder;
    folder.write("a.yaml", "1");
    auto watch = FolderWatch::open(folder.text());
    REQUIRE(watch.ok());
    folder.replace("a.yaml", "2");
    folder.write("b.json", "1");
    folder.write(".hidden", "1");
    folder.write("notes.txt", "1");
    FolderChange change = watch->drain(kStart);
    CHECK_FALSE(change.anything);
    CHECK(change.names == std::set<std::string>{"a.yaml", "b.json"});
    folder.write(".hidden", "2");
    CHECK_FALSE(watch->drain(kStart).any());

    fs::create_symlink(".hidden", folder.path() / "c.yaml");
    CHECK(watch->drain(kStart).anything);
    folder.write(".hidden", "3");
    CHECK(watch->drain(kStart).anything);
    folder.remove("c.yaml");
    CHECK(watch->drain(kStart).anything);
    folder.write("a.yaml", "3");
    change = watch->drain(kStart);
    CHECK_FALSE(change.anything);
    CHECK(change.names == std::set<std::string>{"a.yaml"});
}

TEST_CASE("watch: a ConfigMap volume swaps its ..data symlink") {
    const test::TestFolder folder;
    fs::create_directory(folder.path() / "..v1");
    fs::create_directory(folder.path() / "..v2");
    folder.write("..v1/a.yaml", "1");
    folder.write("..v2/a.yaml", "2");
    fs::create_directory_symlink("..v1", folder.path() / "..data");
    fs::create_symlink("..data/a.yaml", folder.path() / "a.yaml");
    auto watch = FolderWatch::open(folder.text());
    REQUIRE(watch.ok());

    fs::create_directory_symlink("..v2", folder.path() / "..data_tmp");
    (void)watch->drain(kStart);
    fs::rename(folder.path() / "..data_tmp", folder.path() / "..data");
    CHECK(watch->drain(kStart).any());
    folder.write("..v2/a.yaml", "3");  // the folder that the symlink points to now is watched, too
    CHECK(watch->drain(kStart).any());
}

TEST_CASE("watch: the folder may come later, go and be a symlink that is swapped") {
    const test::TestFolder above;
    const std::string path = above.text() + "/manifests/";
    auto watch = FolderWatch::open(path);
    REQUIRE(watch.ok());
    CHECK_FALSE(watch->drain(kStart).any());
    fs::create_directory(above.path() / "manifests");
    CHECK(watch->drain(kStart).any());
    above.write("manifests/a.yaml", "1");
    CHECK(watch->drain(kStart).any());
    above.write("unrelated", "1");
    CHECK_FALSE(watch->drain(kStart).any());

    fs::rename(above.path() / "manifests", above.path() / "v1");
    CHECK(watch->drain(kStart).any());
    above.write("v1/a.yaml", "not ours any more");
    CHECK_FALSE(watch->drain(kStart).any());
    fs::create_directory_symlink("v1", above.path() / "manifests");
    CHECK(watch->drain(kStart).any());
    above.write("v1/a.yaml", "ours again");
    CHECK(watch->drain(kStart).any());

    CHECK_FALSE(FolderWatch::open(above.text() + "/no/such").ok());
}

TEST_CASE("watch: the folder above may go and come back, which nobody tells: it is said that one must look") {
    const test::TestFolder top;
    fs::create_directories(top.path() / "above/manifests");
    auto watch = FolderWatch::open(top.text() + "/above/manifests");
    REQUIRE(watch.ok());
    CHECK(watch->whole());
    const auto take_away = GENERATE(true, false);
    if (take_away) {
        fs::remove_all(top.path() / "above");
    } else {
        fs::rename(top.path() / "above", top.path() / "elsewhere");
    }
    CHECK(watch->drain(kStart).any());
    CHECK_FALSE(watch->whole());
    fs::create_directories(top.path() / "above");
    watch->watch_again();
    CHECK(watch->whole());
    fs::create_directory(top.path() / "above/manifests");
    CHECK(watch->drain(kStart).any());
    top.write("above/manifests/a.yaml", "1");
    CHECK(watch->drain(kStart).any());
}

TEST_CASE("watch: a file that is being written is named until it is closed or its writer is given up") {
    const test::TestFolder folder;
    folder.write("a.yaml", "1");
    auto watch = FolderWatch::open(folder.text());
    REQUIRE(watch.ok());
    Fd file(::open((folder.path() / "a.yaml").c_str(), O_WRONLY | O_CLOEXEC));
    REQUIRE(::write(file.get(), "2", 1) == 1);
    CHECK_FALSE(watch->drain(kStart).any());
    CHECK(watch->writing(kStart).contains("a.yaml"));
    CHECK(watch->writing_until() > kStart);

    const auto later = watch->writing_until();
    CHECK(watch->drain(later).names == std::set<std::string>{"a.yaml"});  // given up: read what is there
    CHECK(watch->writing(later).empty());
    CHECK(watch->writing_until() == FolderWatch::Time::max());

    REQUIRE(::write(file.get(), "3", 1) == 1);
    CHECK_FALSE(watch->drain(later).any());
    file.reset();
    CHECK(watch->drain(later).any());
    CHECK(watch->writing(later).empty());
}
