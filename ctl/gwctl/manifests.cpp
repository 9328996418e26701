// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/manifests.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "userspace/base/fd.hpp"

namespace penstock::gwctl {

namespace {

namespace fs = std::filesystem;

// JSON, which carries the text to the daemon, knows nothing else.
bool is_utf8(const std::string& text) {
    try {
        static_cast<void>(nlohmann::json(text).dump());
        return true;
    } catch (const nlohmann::json::type_error&) {
        return false;
    }
}

class Reader {
public:
    Status take(const std::string& name, const Fd& fd) {
        std::string text;
        char chunk[64 * 1024];
        for (;;) {
            const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got < 0) {
                return sys_error("read " + name);
            }
            if (got == 0) {
                break;
            }
            left_ -= std::min(left_, static_cast<std::size_t>(got));
            if (left_ == 0) {
                return Error{.code = Errc::limit, .what = "read " + name + ": the manifests are larger than " + std::to_string(kManifestBytesMax >> 20) + " MiB",
                             .hint = "give them in several steps, or as the daemon's folder"};
            }
            text.append(chunk, static_cast<std::size_t>(got));
        }
        if (!is_utf8(text)) {
            return Error{.code = Errc::invalid, .what = "read " + name + ": it is not UTF-8 text"};
        }
        manifests.push_back({name, std::move(text)});
        return success();
    }
    Status take_file(const std::string& path) {
        const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        if (!fd.valid()) {
            return sys_error("open " + path);
        }
        return take(path, fd);
    }
    Status take_folder(const std::string& path) {
        std::vector<std::string> found;
        std::error_code failure;
        for (fs::directory_iterator it(path, failure), end; !failure && it != end; it.increment(failure)) {
            const std::string extension = it->path().extension().string();
            if (it->path().filename().string().front() != '.' && (extension == ".yaml" || extension == ".yml" || extension == ".json")) {
                found.push_back(it->path().string());
            }
        }
        if (failure) {
            return sys_error_of(failure.value(), "list " + path);
        }
        if (found.empty()) {
            return Error{.code = Errc::not_found, .what = "the folder " + path + " holds no manifests", .hint = "they end in .yaml, .yml or .json"};
        }
        std::sort(found.begin(), found.end());
        for (const std::string& file : found) {
            if (fs::exists(file, failure) && !fs::is_regular_file(file, failure)) {  // a named pipe would be waited for
                return Error{.code = Errc::invalid, .what = file + " is not a regular file"};
            }
            PST_TRY(take_file(file));
        }
        return success();
    }

    std::vector<Manifest> manifests;

private:
    std::size_t left_ = kManifestBytesMax;
};

}  // namespace

Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& paths) {
    Reader reader;
    for (const std::string& path : paths) {
        std::error_code failure;
        if (path == "-") {
            PST_TRY(reader.take("stdin", Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0))));
        } else if (fs::is_directory(path, failure)) {
            PST_TRY(reader.take_folder(path));
        } else {
            PST_TRY(reader.take_file(path));
        }
    }
    return std::move(reader.manifests);
}

}  // namespace penstock::gwctl
