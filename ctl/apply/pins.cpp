// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/pins.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <deque>
#include <filesystem>

namespace penstock::apply {

namespace {

namespace fs = std::filesystem;

thread_local std::deque<std::string> libbpf_lines;

int keep_line(libbpf_print_level level, const char* format, va_list args) {
    if (level != LIBBPF_WARN) {
        return 0;
    }
    char line[512];
    const int length = std::vsnprintf(line, sizeof(line), format, args);
    std::string text(line);
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    libbpf_lines.push_back(std::move(text));
    if (libbpf_lines.size() > 4) {
        libbpf_lines.pop_front();
    }
    return length;
}

}  // namespace

Status make_pin_folder(const std::string& path) {
    fs::path existing(path);
    std::error_code error;
    while (!fs::exists(existing, error) && existing.has_relative_path()) {
        existing = existing.parent_path();
    }
    struct statfs info {};
    if (statfs(existing.c_str(), &info) != 0) {
        return sys_error("look at " + existing.string());
    }
    if (static_cast<unsigned long>(info.f_type) != BPF_FS_MAGIC) {
        return Error{.code = Errc::unsupported,
                     .what = "use " + path + " for pinned maps",
                     .hint = "it is not on a BPF file system: mount -t bpf bpf /sys/fs/bpf"};
    }
    fs::create_directories(path, error);
    if (error) {
        return sys_error_of(error.value(), "make the folder " + path);
    }
    return success();
}

Result<Fd> hold_folder(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd.valid()) {
        return sys_error("open " + path);
    }
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) {
        return fd;
    }
    if (errno == EWOULDBLOCK) {
        return Error{.code = Errc::exists, .what = "another penstockd has the pinned maps in " + path, .hint = "stop it, or choose another --pin-dir"};
    }
    return sys_error("lock " + path);
}

std::vector<std::string> names_in(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        names.push_back(at->path().filename());
    }
    std::sort(names.begin(), names.end());
    return names;
}

Result<Fd> open_pin(const std::string& path) {
    Fd fd(bpf_obj_get(path.c_str()));
    if (!fd.valid() && errno != ENOENT) {
        return sys_error("open " + path, errno == EPERM || errno == EACCES ? "CAP_BPF is missing: run as root or with the capabilities that the documentation lists" : "");
    }
    return fd;
}

Status pin_over(int fd, const std::string& path) {
    // A name of BPF file systems may not hold a dot.
    const std::string fresh = path + "_new";
    unlink(fresh.c_str());
    if (bpf_obj_pin(fd, fresh.c_str()) != 0) {
        return sys_error("pin " + path);
    }
    if (rename(fresh.c_str(), path.c_str()) != 0) {
        return sys_error("pin " + path);
    }
    return success();
}

Status remove_pins(const std::string& folder) {
    std::error_code error;
    fs::remove_all(folder, error);
    if (error) {
        return sys_error_of(error.value(), "remove " + folder);
    }
    return success();
}

LibbpfLog::LibbpfLog() {
    libbpf_lines.clear();
    libbpf_set_print(keep_line);
}

LibbpfLog::~LibbpfLog() { libbpf_lines.clear(); }

std::string LibbpfLog::last() const {
    std::string text;
    for (const std::string& line : libbpf_lines) {
        text += (text.empty() ? "" : "; ") + line;
    }
    return text;
}

}  // namespace penstock::apply
