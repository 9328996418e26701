// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder.hpp"

#include <algorithm>
#include <utility>

namespace penstock::source {

namespace {

model::Diagnostic complaint(const std::string& file, std::string message) {
    model::Diagnostic diagnostic;
    diagnostic.file = file;
    diagnostic.message = std::move(message);
    return diagnostic;
}

}  // namespace

Folder::Folder(std::string path, FolderLimits limits) : path_(std::move(path)), limits_(limits) {
    given_.name = "folder " + path_;
    given_.kind = "folder";
}

bool Folder::take(File& file, FolderFile& now) {
    if (now.error) {
        const auto diagnostic = complaint(now.name, now.error->sentence());
        const bool told = !file.readable && file.diagnostics.size() == 1 && file.diagnostics.front().message == diagnostic.message;
        file.readable = false;
        file.diagnostics = {diagnostic};
        return !told;
    }
    if (file.readable && file.text == now.text) {
        return false;
    }
    model::ParseResult parsed = model::parse_manifests(now.text, now.name);
    file.objects = with_last_good(parsed, file.objects);
    file.diagnostics = std::move(parsed.diagnostics);
    shorten(file.diagnostics);
    file.text = std::move(now.text);
    file.readable = true;
    return true;
}

bool Folder::refresh(const std::set<std::string>& writing) {
    auto read = read_folder(path_, limits_);
    if (!read.ok()) {
        // A volume that went away is no order to stop serving: everything stays until the folder can be read again.
        const bool changed = folder_error_ != read.error().sentence();
        folder_error_ = read.error().sentence();
        if (changed) {
            collect(&read.error());
        }
        return changed;
    }
    bool changed = !std::exchange(folder_error_, "").empty() || !read_once_;
    read_once_ = true;
    std::set<std::string> there;
    for (FolderFile& now : *read) {
        there.insert(now.name);
        if (!writing.contains(now.name)) {
            changed = take(files_[now.name], now) || changed;
        }
    }
    changed = std::erase_if(files_, [&](const auto& file) { return !there.contains(file.first); }) > 0 || changed;
    if (changed) {
        collect(nullptr);
    }
    return changed;
}

void Folder::collect(const Error* folder_error) {
    given_.objects.clear();
    given_.diagnostics.clear();
    if (folder_error != nullptr) {
        given_.diagnostics.push_back(complaint("", folder_error->sentence()));
    }
    for (const auto& [name, file] : files_) {
        given_.objects.insert(given_.objects.end(), file.objects.begin(), file.objects.end());
        given_.diagnostics.insert(given_.diagnostics.end(), file.diagnostics.begin(), file.diagnostics.end());
    }
    const bool errors = std::any_of(given_.diagnostics.begin(), given_.diagnostics.end(),
                                    [](const model::Diagnostic& d) { return d.severity == model::Severity::error; });
    given_.state = folder_error != nullptr ? State::failed : errors ? State::degraded : State::ok;
}

}  // namespace penstock::source
