// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder.hpp"

#include <algorithm>
#include <iterator>
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
    put(file, with_last_good(parsed, file.objects));
    file.diagnostics = std::move(parsed.diagnostics);
    shorten(file.diagnostics);
    file.text = std::move(now.text);
    file.readable = true;
    return true;
}

void Folder::put(File& file, std::vector<model::ObjectPtr> objects) {
    std::set<model::ObjectKey> touched;
    for (const model::ObjectPtr& object : file.objects) {
        touched.insert(object->key);
        all_.erase(object);
    }
    for (const model::ObjectPtr& object : objects) {
        touched.insert(object->key);
        all_.insert(object);
    }
    file.objects = std::move(objects);
    std::for_each(touched.begin(), touched.end(), [this](const model::ObjectKey& key) { settle(key); });
}

void Folder::settle(const model::ObjectKey& key) {
    const auto [first, last] = all_.equal_range(key);
    if (first == last) {
        given_.objects.erase(key);
    } else if (const model::ObjectPtr* there = given_.objects.get(key); there == nullptr || *there != *first) {
        given_.objects.set(key, *first);
    }
    if (first != last && std::next(first) != last) {
        several_.insert(key);
    } else {
        several_.erase(key);
    }
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
    std::vector<std::string> gone;
    for (const auto& [name, file] : files_) {
        if (!there.contains(name)) {
            gone.push_back(name);
        }
    }
    std::for_each(gone.begin(), gone.end(), [this](const std::string& name) { drop(name); });
    changed = changed || !gone.empty();
    if (changed) {
        collect(nullptr);
    }
    return changed;
}

// Nothing if one must look at all: the limits are of all files together, and who is over them depends on the others.
std::optional<Folder::Looked> Folder::look_at(const std::set<std::string>& names, const std::set<std::string>& writing) const {
    if (!read_once_ || !folder_error_.empty() || !all_readable_) {
        return std::nullopt;
    }
    Looked looked;
    std::size_t bytes = bytes_;
    std::size_t count = files_.size();
    for (const std::string& name : names) {
        if (writing.contains(name)) {
            continue;
        }
        auto file = read_manifest(path_, name, limits_.file_bytes_max);
        if (file && file->error) {
            return std::nullopt;
        }
        if (const auto known = files_.find(name); known != files_.end()) {
            bytes -= known->second.text.size();
            count -= 1;
        }
        bytes += file ? file->text.size() : 0;
        count += file ? 1 : 0;
        looked.emplace(name, std::move(file));
    }
    return bytes <= limits_.total_bytes_max && count <= limits_.files_max ? std::optional(std::move(looked)) : std::nullopt;
}

bool Folder::refresh(const FolderChange& change, const std::set<std::string>& writing) {
    auto looked = change.anything ? std::nullopt : look_at(change.names, writing);
    if (!looked) {
        return refresh(writing);
    }
    bool changed = false;
    for (auto& [name, file] : *looked) {
        if (file) {
            changed = take(files_[name], *file) || changed;
        } else if (files_.contains(name)) {
            drop(name);
            changed = true;
        }
    }
    if (changed) {
        collect(nullptr);
    }
    return changed;
}

void Folder::drop(const std::string& name) {
    const auto file = files_.find(name);
    put(file->second, {});
    files_.erase(file);
}

void Folder::collect(const Error* folder_error) {
    given_.diagnostics.clear();
    all_readable_ = true;
    bytes_ = 0;
    if (folder_error != nullptr) {
        given_.diagnostics.push_back(complaint("", folder_error->sentence()));
    }
    for (const auto& [name, file] : files_) {
        given_.diagnostics.insert(given_.diagnostics.end(), file.diagnostics.begin(), file.diagnostics.end());
        all_readable_ = all_readable_ && file.readable;
        bytes_ += file.text.size();
    }
    for (const model::ObjectKey& key : several_) {
        const auto [first, last] = all_.equal_range(key);
        std::for_each(std::next(first), last, [&, winner = place_of(given_.name, **first)](const model::ObjectPtr& object) { given_.diagnostics.push_back(duplicate_of(*object, winner)); });
    }
    const bool errors = std::any_of(given_.diagnostics.begin(), given_.diagnostics.end(),
                                    [](const model::Diagnostic& d) { return d.severity == model::Severity::error; });
    given_.state = folder_error != nullptr ? State::failed : errors ? State::degraded : State::ok;
}

}  // namespace penstock::source
