// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder_watch.hpp"

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "ctl/source/folder_files.hpp"

namespace penstock::source {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kFolderMask = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                                      IN_DELETE_SELF | IN_MOVE_SELF;
// The parent tells that an entry came, went or was replaced (the folder itself or the symlink that names it), or that it is gone itself.
constexpr std::uint32_t kParentMask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;
constexpr auto kWriterPatience = std::chrono::seconds(1);

std::string leaf_of(const std::string& folder) {
    fs::path path = fs::path(folder).lexically_normal();
    return (path.has_filename() ? path : path.parent_path()).filename().string();
}

std::string parent_of(const std::string& folder) {
    fs::path path = fs::path(folder).lexically_normal();
    path = (path.has_filename() ? path : path.parent_path()).parent_path();
    return path.empty() ? "." : path.string();
}

struct Targets {
    bool links = false;             // a manifest is a symlink
    std::set<std::string> folders;  // that those really lie in, where those are others
};

Targets targets_of(const std::string& folder) {
    Targets out;
    std::error_code failure;
    const fs::path real_folder = fs::canonical(folder, failure);
    for (fs::directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
        std::error_code ignored;
        if (!it->is_symlink(ignored) || !is_manifest_name(it->path().filename().string())) {
            continue;
        }
        out.links = true;
        const fs::path target = fs::canonical(it->path(), ignored);
        if (!ignored && target.parent_path() != real_folder) {
            out.folders.insert(target.parent_path().string());
        }
    }
    return out;
}

}  // namespace

Result<FolderWatch> FolderWatch::open(std::string folder) {
    Fd inotify(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!inotify.valid()) {
        return sys_error("inotify_init", "raise fs.inotify.max_user_instances");
    }
    FolderWatch watch(std::move(inotify), std::move(folder));
    watch.watch_again();
    if (watch.roles_.empty()) {
        return Error{.code = Errc::not_found,
                     .what = fmt::format("watch {}", watch.folder_),
                     .hint = "neither the folder nor the one above it can be watched"};
    }
    return watch;
}

bool FolderWatch::add(const std::string& path, Role role) {
    const std::uint32_t mask = role == Role::parent ? kParentMask : kFolderMask;
    const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), mask | IN_ONLYDIR);
    if (watch >= 0) {
        roles_[watch] = role;
    }
    return watch >= 0;
}

// inotify_add_watch of a watched inode is a no-op, so this only adds what is new. Watches of removed inodes end by themselves; one
// on a folder that was renamed away is dropped here, or its events would go on.
void FolderWatch::watch_again() {
    std::map<int, Role> before = std::exchange(roles_, {});
    whole_ = add(parent_of(folder_), Role::parent);
    const Targets targets = targets_of(folder_);
    links_ = targets.links;
    for (const std::string& target : targets.folders) {
        whole_ = add(target, Role::target) && whole_;
    }
    // A folder that does not exist is told by its parent when it comes.
    whole_ = (add(folder_, Role::folder) || errno == ENOENT) && whole_;
    for (const auto& [watch, role] : before) {
        if (!roles_.contains(watch)) {
            ::inotify_rm_watch(inotify_.get(), watch);
        }
    }
}

void FolderWatch::take(int watch, std::uint32_t mask, const std::string& name, Time now, FolderChange& change) {
    if ((mask & IN_Q_OVERFLOW) != 0) {
        change.anything = true;
        return;
    }
    const auto role = roles_.find(watch);
    if (role == roles_.end() || (mask & IN_IGNORED) != 0) {
        return;
    }
    switch (role->second) {
        case Role::parent: change.anything = change.anything || (mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0 || name == leaf_of(folder_); return;
        case Role::target: change.anything = true; return;
        case Role::folder: take_of_folder(mask, name, now, change); return;
    }
}

void FolderWatch::take_of_folder(std::uint32_t mask, const std::string& name, Time now, FolderChange& change) {
    if ((mask & IN_MODIFY) != 0) {
        writing_since_[name] = now;
        return;  // IN_CLOSE_WRITE follows, or patience ends
    }
    writing_since_.erase(name);
    if (name.empty()) {
        change.anything = true;  // of the folder itself
    } else {
        add_name(name, change);
    }
}

void FolderWatch::add_name(const std::string& name, FolderChange& change) const {
    std::error_code failure;
    if (links_ || (is_manifest_name(name) && fs::is_symlink(fs::path(folder_) / name, failure))) {
        change.anything = true;
    } else if (is_manifest_name(name)) {
        change.names.insert(name);
    }
}

FolderChange FolderWatch::drain(Time now) {
    FolderChange change;
    alignas(inotify_event) char buffer[16 * 1024];
    for (;;) {
        const ssize_t got = ::read(inotify_.get(), buffer, sizeof(buffer));
        if (got <= 0) {
            break;
        }
        for (ssize_t at = 0; at < got;) {
            inotify_event event = {};
            std::memcpy(&event, buffer + at, sizeof(event));
            const std::string name = event.len > 0 ? std::string(buffer + at + sizeof(event)) : std::string();
            take(event.wd, event.mask, name, now, change);
            at += static_cast<ssize_t>(sizeof(event) + event.len);
        }
    }
    for (auto at = writing_since_.begin(); at != writing_since_.end();) {
        if (now - at->second < kWriterPatience) {
            ++at;
            continue;
        }
        add_name(at->first, change);
        at = writing_since_.erase(at);
    }
    if (change.anything) {
        watch_again();
    }
    return change;
}

std::set<std::string> FolderWatch::writing(Time now) const {
    std::set<std::string> names;
    for (const auto& [name, since] : writing_since_) {
        if (now - since < kWriterPatience) {
            names.insert(name);
        }
    }
    return names;
}

FolderWatch::Time FolderWatch::writing_until() const {
    Time first = Time::max();
    for (const auto& [name, since] : writing_since_) {
        first = std::min(first, since + kWriterPatience);
    }
    return first;
}

}  // namespace penstock::source
