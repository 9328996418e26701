// SPDX-License-Identifier: Apache-2.0
// What was built: the same for every binary of one build.
#pragma once

#include <string>
#include <string_view>

namespace penstock {

extern const std::string_view kVersion;  // "0.1.0"
extern const std::string_view kCommit;   // "8c1f2ab4d1", or "8c1f2ab4d1-dirty" with changes of its own; "unknown" outside a git checkout, and with sanitizers

// "0.1.0+g8c1f2ab4d1"; the version alone where the commit is not known.
[[nodiscard]] std::string build_text(std::string_view version, std::string_view commit);

}  // namespace penstock
