// SPDX-License-Identifier: Apache-2.0
// What was built: the same for every binary of one build.
#pragma once

#include <string_view>

namespace penstock {

extern const std::string_view kVersion;  // "0.1.0"
extern const std::string_view kCommit;   // short hash at configure time; "unknown" outside a git checkout

}  // namespace penstock
