// SPDX-License-Identifier: Apache-2.0
// The order of resourceVersions.
#pragma once

#include <string>

namespace penstock::kubeapi {

// Whether `a` is an older version than `b`. They are numbers on every server that we know (KEP-5504); others are taken as they come.
inline bool older_version(const std::string& a, const std::string& b) {
    const auto is_number = [](const std::string& text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos; };
    return is_number(a) && is_number(b) && (a.size() != b.size() ? a.size() < b.size() : a < b);
}

}  // namespace penstock::kubeapi
