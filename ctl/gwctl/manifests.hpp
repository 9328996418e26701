// SPDX-License-Identifier: Apache-2.0
// The texts that -f names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "userspace/base/result.hpp"

namespace penstock::gwctl {

// Of all texts together: what the daemon takes in one request, less what JSON adds to it.
inline constexpr std::size_t kManifestBytesMax = 48U << 20;

struct Manifest {
    std::string name;  // the path as it was given; "stdin"
    std::string text;  // UTF-8
};

// Of files, folders (their *.yaml, *.yml and *.json, sorted) and "-" for standard input. An error names the first that cannot be used; a
// folder without manifests is one.
Result<std::vector<Manifest>> read_manifests(const std::vector<std::string>& paths);

}  // namespace penstock::gwctl
