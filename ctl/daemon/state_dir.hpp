// SPDX-License-Identifier: Apache-2.0
// The daemon's state folder and its lock: one daemon per folder. What lies in it: control.sock, keeper.sock, lock, and the state files
// that let a restarted daemon go on where it was (loaded.yaml, objects.json, ids, generation, session_key), all 0600.
#pragma once

#include <string>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

class StateDir {
public:
    // Makes the folder (0755) with its parents where it is absent; gives its absolute path.
    static Result<std::string> make(const std::string& path);
    // Makes it, too. Errc::exists if another daemon holds it.
    static Result<StateDir> open(const std::string& path);

    [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    StateDir(std::string path, Fd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
    std::string path_;
    Fd lock_;
};

}  // namespace penstock::daemon
