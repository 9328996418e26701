// SPDX-License-Identifier: Apache-2.0
// The pin folder on the BPF file system, and libbpf's complaints as text.
#pragma once

#include <string>
#include <vector>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::apply {

// Makes `path` with its parents. Errc::unsupported with a hint if it is not on a BPF file system.
Status make_pin_folder(const std::string& path);
// While the descriptor is open no other process gets it: what is pinned below has one writer. Errc::exists if somebody has it.
Result<Fd> hold_folder(const std::string& path);
// Names in a folder, sorted; empty if there is none.
std::vector<std::string> names_in(const std::string& folder);
// A pinned object; none if there is none.
Result<Fd> open_pin(const std::string& path);
// In place of one that is there, without a moment in which there is none.
Status pin_over(int fd, const std::string& path);
// Removes a folder and all under it.
Status remove_pins(const std::string& folder);

// Warnings of libbpf while it lives, for hints; nothing goes to stderr.
class LibbpfLog {
public:
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;
    [[nodiscard]] std::string last() const;  // the last lines
};

}  // namespace penstock::apply
