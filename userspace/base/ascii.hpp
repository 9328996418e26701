// SPDX-License-Identifier: Apache-2.0
// Letters without case, of ASCII only: what names, headers and hosts are compared by, whatever the locale.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace penstock {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

inline std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
    return out;
}

}  // namespace penstock
