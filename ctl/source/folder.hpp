// SPDX-License-Identifier: Apache-2.0
// The source `folder`: the manifests of a folder, each file on its own. A broken or unreadable file keeps what it gave last and says so;
// its neighbours do not notice. Only files whose text changed are parsed again, so objects of the others stay the same. An object that
// several files have is the first file's; of the others that is told.
// Watching is folder_watch.hpp's; this class reads when it is told to.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "ctl/source/folder_files.hpp"
#include "ctl/source/source.hpp"

namespace penstock::source {

class Folder {
public:
    explicit Folder(std::string path, FolderLimits limits = {});

    // Looks at the files; those in `writing` are left as they were. True if anything changed, diagnostics included.
    bool refresh(const std::set<std::string>& writing = {});
    // At those that may have changed.
    bool refresh(const FolderChange& change, const std::set<std::string>& writing);

    [[nodiscard]] const Given& given() const { return given_; }

private:
    struct File {
        std::string text;
        bool readable = false;
        std::vector<model::ObjectPtr> objects;
        std::vector<model::Diagnostic> diagnostics;
    };
    struct ByKeyAndFile {
        using is_transparent = void;
        bool operator()(const model::ObjectPtr& one, const model::ObjectPtr& other) const {
            return std::tie(one->key, one->origin.file) < std::tie(other->key, other->origin.file);
        }
        bool operator()(const model::ObjectPtr& one, const model::ObjectKey& key) const { return one->key < key; }
        bool operator()(const model::ObjectKey& key, const model::ObjectPtr& one) const { return key < one->key; }
    };
    // Files as they are now; nothing of one that went.
    using Looked = std::map<std::string, std::optional<FolderFile>>;
    [[nodiscard]] std::optional<Looked> look_at(const std::set<std::string>& names, const std::set<std::string>& writing) const;
    bool take(File& file, FolderFile& now);
    void put(File& file, std::vector<model::ObjectPtr> objects);
    void settle(const model::ObjectKey& key);
    void drop(const std::string& name);
    void collect(const Error* folder_error);

    std::string path_;
    FolderLimits limits_;
    std::map<std::string, File> files_;
    std::multiset<model::ObjectPtr, ByKeyAndFile> all_;  // of all files; a file that has one twice: in its order
    std::set<model::ObjectKey> several_;                 // that are there more than once
    std::string folder_error_;
    bool read_once_ = false;
    bool all_readable_ = false;
    std::size_t bytes_ = 0;  // of all texts
    Given given_;
};

}  // namespace penstock::source
