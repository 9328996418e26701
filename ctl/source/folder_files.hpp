// SPDX-License-Identifier: Apache-2.0
// The texts of a folder of manifests: *.yaml, *.yml and *.json directly in it, sorted by name. Not recursive: a file that nobody
// sees in `ls` should not configure an edge. Hidden names are skipped, so editors' and ConfigMap volumes' own entries never count.
// It parses nothing. A file that cannot be read is an entry with an error, never a reason to lose the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.hpp"

namespace penstock::source {

struct FolderLimits {
    std::size_t file_bytes_max = 16U << 20;
    std::size_t total_bytes_max = 64U << 20;
    std::size_t files_max = 10'000;
};

struct FolderFile {
    std::string name;            // without the folder
    std::string text;            // empty if error
    std::optional<Error> error;  // why it could not be read; never its content
};

// What may have changed since somebody looked: files with these names, or anything.
struct FolderChange {
    bool anything = false;
    std::set<std::string> names;

    [[nodiscard]] bool any() const { return anything || !names.empty(); }
    void add(FolderChange other) {
        anything = anything || other.anything;
        names.merge(other.names);
    }
};

// True for the names that read_folder takes.
bool is_manifest_name(std::string_view name);

// Fails only if the folder itself cannot be listed. A file over a limit is an entry with an error.
Result<std::vector<FolderFile>> read_folder(const std::string& folder, const FolderLimits& limits = {});

// One file of a folder; nothing if it is not there.
std::optional<FolderFile> read_manifest(const std::string& folder, const std::string& name, std::size_t bytes_max);

}  // namespace penstock::source
