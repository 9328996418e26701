// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "userspace/base/files.hpp"

namespace penstock::source {

namespace {

Result<std::vector<std::string>> list_manifests(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code failure;
    for (std::filesystem::directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
        if (std::string name = it->path().filename().string(); is_manifest_name(name)) {
            names.push_back(std::move(name));
        }
    }
    if (failure) {
        return sys_error_of(failure.value(), fmt::format("list {}", folder));
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

bool is_manifest_name(std::string_view name) {
    if (name.empty() || name.front() == '.') {
        return false;
    }
    return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

std::optional<FolderFile> read_manifest(const std::string& folder, const std::string& name, std::size_t bytes_max) {
    FolderFile file{.name = name, .text = {}, .error = {}};
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    auto text = read_file(path.string(), bytes_max);
    if (text.ok()) {
        file.text = std::move(text).value();
    } else if (text.error().sys_errno == ENOENT && !std::filesystem::is_symlink(path)) {
        return std::nullopt;
    } else {
        file.error = std::move(text).error();
    }
    return file;
}

Result<std::vector<FolderFile>> read_folder(const std::string& folder, const FolderLimits& limits) {
    PST_TRY_ASSIGN(const std::vector<std::string> names, list_manifests(folder));
    std::vector<FolderFile> files;
    std::size_t total = 0;
    for (const std::string& name : names) {
        if (files.size() >= limits.files_max) {
            files.push_back({.name = name, .text = {}, .error = Error{.code = Errc::limit, .what = fmt::format("{} files are read, this is one more", limits.files_max)}});
        } else if (auto file = read_manifest(folder, name, std::min(limits.file_bytes_max, limits.total_bytes_max - total))) {  // else removed since it was listed
            total += file->text.size();
            files.push_back(std::move(*file));
        }
    }
    return files;
}

}  // namespace penstock::source
