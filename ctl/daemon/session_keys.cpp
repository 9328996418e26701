// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/session_keys.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "ctl/check/fingerprint.hpp"
#include "userspace/base/files.hpp"

namespace penstock::daemon {

namespace {

constexpr std::size_t kBytesMin = 32;
constexpr std::size_t kBytesMax = 4096;

Result<compile::OwnKey> read_key(const std::string& path) {
    PST_TRY_ASSIGN(std::string bytes, read_file(path, kBytesMax));
    if (bytes.size() < kBytesMin) {
        return Error{.code = Errc::invalid, .what = fmt::format("{} has {} bytes, less than {}", path, bytes.size(), kBytesMin),
                     .hint = fmt::format("make one with: head -c {} /dev/urandom > {}", kBytesMin, path)};
    }
    std::string id = "sessions/" + check::fingerprint_of(bytes);
    return compile::OwnKey{std::move(id), std::make_shared<const compile::Secret>(std::move(bytes))};
}

Status make_key(const std::string& path) {
    std::array<char, kBytesMin> bytes;
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        return sys_error("make a session key");
    }
    return write_file(path, {bytes.data(), bytes.size()}, 0600);
}

// The files that a path stands for: itself, unless it is a folder.
Result<std::vector<std::string>> files_at(const std::string& path) {
    namespace fs = std::filesystem;
    std::error_code failure;
    if (!fs::is_directory(path, failure)) {
        return std::vector<std::string>{path};
    }
    std::vector<std::string> files;
    for (fs::directory_iterator it(path, failure), end; !failure && it != end; it.increment(failure)) {
        if (!it->path().filename().string().starts_with(".")) {
            files.push_back(it->path().string());
        }
    }
    if (failure) {
        return sys_error_of(failure.value(), "read the folder " + path);
    }
    std::sort(files.begin(), files.end());
    return files;
}

Result<std::vector<std::string>> files_of(const std::vector<std::string>& paths) {
    std::vector<std::string> all;
    for (const std::string& path : paths) {
        PST_TRY_ASSIGN(const auto some, files_at(path));
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

}  // namespace

Result<std::vector<compile::OwnKey>> session_keys(const StateDir& state, const std::vector<std::string>& paths) {
    std::vector<compile::OwnKey> keys;
    PST_TRY_ASSIGN(const auto files, files_of(paths));
    for (const std::string& path : files) {
        auto key = read_key(path);
        if (!key.ok()) {
            return std::move(key).error().in("--session-key");
        }
        keys.push_back(std::move(*key));
    }
    if (keys.empty()) {
        const std::string own = state.file("session_key");
        auto key = read_key(own);
        if (!key.ok()) {  // there is none yet, or it is no good
            PST_TRY(make_key(own));
            key = read_key(own);
        }
        PST_TRY_ASSIGN(auto made, std::move(key));
        keys.push_back(std::move(made));
    }
    return keys;
}

}  // namespace penstock::daemon
