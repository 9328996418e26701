// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/folder_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "userspace/base/fd.hpp"

namespace penstock::source {

namespace {

// O_NONBLOCK: a FIFO that somebody left in the folder must not stop the daemon.
Result<Fd> open_regular(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid()) {
        return sys_error(fmt::format("open {}", path));
    }
    struct stat st = {};
    if (::fstat(fd.get(), &st) != 0) {
        return sys_error(fmt::format("stat {}", path));
    }
    if (!S_ISREG(st.st_mode)) {
        return Error{.code = Errc::invalid, .what = fmt::format("{} is not a regular file", path)};
    }
    return fd;
}

Status write_all(int fd, std::string_view text, const std::string& path) {
    while (!text.empty()) {
        const ssize_t wrote = ::write(fd, text.data(), text.size());
        if (wrote < 0) {
            if (errno == EINTR) {
                continue;
            }
            return sys_error(fmt::format("write {}", path));
        }
        text.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return success();
}

Status fill_and_rename(const Fd& fd, std::string_view text, unsigned mode, const std::string& temporary, const std::string& path) {
    if (::fchmod(fd.get(), mode) != 0) {
        return sys_error(fmt::format("chmod {}", temporary));
    }
    PST_TRY(write_all(fd.get(), text, temporary));
    if (::fsync(fd.get()) != 0) {
        return sys_error(fmt::format("fsync {}", temporary));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        return sys_error(fmt::format("rename {} to {}", temporary, path));
    }
    return success();
}

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

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    PST_TRY_ASSIGN(const Fd fd, open_regular(path));
    std::string text;
    char chunk[64 * 1024];
    for (;;) {
        const ssize_t got = ::read(fd.get(), chunk, sizeof(chunk));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return sys_error(fmt::format("read {}", path));
        }
        if (got == 0) {
            return text;
        }
        if (text.size() + static_cast<std::size_t>(got) > bytes_max) {
            return Error{.code = Errc::limit, .what = fmt::format("{} is larger than {} bytes", path, bytes_max)};
        }
        text.append(chunk, static_cast<std::size_t>(got));
    }
}

Result<std::vector<FolderFile>> read_folder(const std::string& folder, const FolderLimits& limits) {
    PST_TRY_ASSIGN(const std::vector<std::string> names, list_manifests(folder));
    std::vector<FolderFile> files;
    std::size_t total = 0;
    for (const std::string& name : names) {
        FolderFile file{.name = name, .text = {}, .error = {}};
        if (files.size() >= limits.files_max) {
            file.error = Error{.code = Errc::limit, .what = fmt::format("{} files are read, this is one more", limits.files_max)};
        } else {
            const std::size_t room = limits.total_bytes_max - total;
            auto text = read_file((std::filesystem::path(folder) / name).string(), std::min(limits.file_bytes_max, room));
            if (text.ok()) {
                file.text = std::move(text).value();
                total += file.text.size();
            } else if (text.error().sys_errno == ENOENT && !std::filesystem::is_symlink(std::filesystem::path(folder) / name)) {
                continue;  // removed since it was listed
            } else {
                file.error = std::move(text).error();
            }
        }
        files.push_back(std::move(file));
    }
    return files;
}

Status write_file(const std::string& path, std::string_view text, unsigned mode) {
    const std::string temporary = path + ".new";
    Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd.valid()) {
        return sys_error(fmt::format("create {}", temporary));
    }
    Status done = fill_and_rename(fd, text, mode, temporary, path);
    if (!done.ok()) {
        ::unlink(temporary.c_str());  // on a full disk it would be in the way of the next try
    }
    return done;
}

}  // namespace penstock::source
