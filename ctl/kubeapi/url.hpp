// SPDX-License-Identifier: Apache-2.0
// Percent-encoding of what goes into a query or a path's element (RFC 3986: everything but the unreserved characters).
#pragma once

#include <string>
#include <string_view>

namespace penstock::kubeapi {

inline std::string url_encoded(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            out += '%';
            out += kHex[byte >> 4U];
            out += kHex[byte & 15U];
        }
    }
    return out;
}

}  // namespace penstock::kubeapi
