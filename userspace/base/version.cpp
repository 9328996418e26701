// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/version.hpp"

namespace penstock {

const std::string_view kVersion = PST_VERSION;

std::string build_text(std::string_view version, std::string_view commit) {
    return std::string(version) + (commit.empty() || commit == "unknown" ? "" : "+g" + std::string(commit));
}

}  // namespace penstock
