// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "userspace/base/fd.hpp"

namespace penstock {

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

}  // namespace

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

}  // namespace penstock
