// SPDX-License-Identifier: Apache-2.0
// A temporary folder for tests, removed with its content.
#pragma once

#include <fcntl.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "userspace/base/assert.hpp"

namespace penstock::test {

class TestFolder {
public:
    TestFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "pst-test-XXXXXX").string();
        PST_ASSERT(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TestFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TestFolder(const TestFolder&) = delete;
    TestFolder& operator=(const TestFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string text() const { return path_.string(); }
    void write(const std::string& name, std::string_view text) const { std::ofstream(path_ / name) << text; }
    void remove(const std::string& name) const { std::filesystem::remove(path_ / name); }
    // Both names stand for something all the time.
    void exchange(const std::string& one, const std::string& other) const {
        PST_ASSERT(::renameat2(AT_FDCWD, (path_ / one).c_str(), AT_FDCWD, (path_ / other).c_str(), RENAME_EXCHANGE) == 0);
    }
    // As careful writers do: a temporary, then a rename.
    void replace(const std::string& name, std::string_view text) const {
        write("." + name, text);
        std::filesystem::rename(path_ / ("." + name), path_ / name);
    }

private:
    std::filesystem::path path_;
};

}  // namespace penstock::test
