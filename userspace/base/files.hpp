// SPDX-License-Identifier: Apache-2.0
// Whole files, read and written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "userspace/base/result.hpp"

namespace penstock {

// The whole of one file. Errc::limit past `bytes_max`; a name that is no regular file (after symlinks) is Errc::invalid.
Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

// Writes a file whole or not at all: a temporary beside it, fsync, rename. `mode` as for open(2).
Status write_file(const std::string& path, std::string_view text, unsigned mode);

}  // namespace penstock
