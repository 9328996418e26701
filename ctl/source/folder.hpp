// SPDX-License-Identifier: Apache-2.0
// The source `folder`: the manifests of a folder, each file on its own. A broken or unreadable file keeps what it gave last and says so;
// its neighbours do not notice. Only files whose text changed are parsed again, so objects of the others stay the same.
// Watching is folder_watch.hpp's; this class reads when it is told to.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "ctl/source/folder_files.hpp"
#include "ctl/source/source.hpp"

namespace penstock::source {

class Folder {
public:
    explicit Folder(std::string path, FolderLimits limits = {});

    // Looks at the files; those in `writing` are left as they were. True if anything changed, diagnostics included.
    bool refresh(const std::set<std::string>& writing = {});

    [[nodiscard]] const Given& given() const { return given_; }

private:
    struct File {
        std::string text;
        bool readable = false;
        std::vector<model::ObjectPtr> objects;
        std::vector<model::Diagnostic> diagnostics;
    };
    bool take(File& file, FolderFile& now);
    void collect(const Error* folder_error);

    std::string path_;
    FolderLimits limits_;
    std::map<std::string, File> files_;
    std::string folder_error_;
    bool read_once_ = false;
    Given given_;
};

}  // namespace penstock::source
