// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/session_keys.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

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

}  // namespace

Result<std::vector<compile::OwnKey>> session_keys(const StateDir& state, const std::vector<std::string>& files) {
    std::vector<compile::OwnKey> keys;
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
