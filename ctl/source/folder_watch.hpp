// SPDX-License-Identifier: Apache-2.0
// Tells when a folder of manifests may have changed: inotify on the folder, on the path that leads to it (the folder may be a symlink, may
// be replaced, or not exist yet) and on the folders that symlinks in it point to. It names the files that may be others now, where the folder
// has plain files only; the reader compares texts. A file somebody is writing in place is named by `writing` until it is closed, so half of it is not read.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "ctl/source/folder_files.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::source {

class FolderWatch {
public:
    using Time = std::chrono::steady_clock::time_point;

    // The folder need not exist. Fails if inotify is not available or its parent cannot be watched either.
    static Result<FolderWatch> open(std::string folder);

    // Readable when `drain` has something to say. Owned by this object.
    [[nodiscard]] int fd() const { return inotify_.get(); }

    // Takes all events that are there, and says what may have changed. Watches what the folder consists of now.
    FolderChange drain(Time now);

    // False: something cannot be watched now (the folder above is gone, the system's limit of watches is reached), so changes may go
    // unseen. Look at the folder from time to time, after watch_again().
    [[nodiscard]] bool whole() const { return whole_; }
    void watch_again();

    // Names of files that were written in place and not closed yet. An entry without an event for a second is given up (a writer that
    // never closes), so look again at `writing_until` if there are any.
    [[nodiscard]] std::set<std::string> writing(Time now) const;
    [[nodiscard]] Time writing_until() const;  // Time::max() if there are none

private:
    enum class Role : std::uint8_t { folder, parent, target };

    FolderWatch(Fd inotify, std::string folder) : inotify_(std::move(inotify)), folder_(std::move(folder)) {}
    bool add(const std::string& path, Role role);
    void take(int watch, std::uint32_t mask, const std::string& name, Time now, FolderChange& change);
    void take_of_folder(std::uint32_t mask, const std::string& name, Time now, FolderChange& change);
    void add_name(const std::string& name, FolderChange& change) const;

    Fd inotify_;
    std::string folder_;
    std::map<int, Role> roles_;                  // by watch descriptor
    bool whole_ = false;
    bool links_ = false;                         // some manifests are symlinks: what any name stands for is not known
    std::map<std::string, Time> writing_since_;  // last time a write was seen
};

}  // namespace penstock::source
