// SPDX-License-Identifier: Apache-2.0
// The little of URLs (RFC 3986) that we read and write: percent-encoding, and the authority, "[fd00::1]:6443" of "https://[fd00::1]:6443/prefix".
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace penstock::kubeapi {

// For a query or an element of a path: everything but the unreserved characters.
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

struct Authority {
    std::string_view text;  // "[fd00::1]:6443"; a user and a password, if there, are in it
    std::string_view host;  // "[fd00::1]"
    std::string_view port;  // "6443"; "" if it is not said
    std::string_view rest;  // what follows it: "/prefix"
};

// Views of `url`. Without a scheme the authority is what begins it.
inline Authority authority_of(std::string_view url) {
    const std::size_t sign = std::min(url.find_first_of(":@"), url.size());
    const std::size_t from = url.substr(sign).starts_with("://") ? sign + 3 : 0;
    const std::size_t end = std::min(url.find('/', from), url.size());
    const std::string_view text = url.substr(from, end - from);
    const std::size_t colon = std::min(text.find(':', text.starts_with('[') ? std::min(text.find(']'), text.size()) : 0), text.size());
    return {.text = text, .host = text.substr(0, colon), .port = text.substr(std::min(colon + 1, text.size())), .rest = url.substr(end)};
}

// A name or an address as an authority has it: "example.com", "[fd00::1]".
inline std::string host_of(std::string_view name) {
    const bool bare = name.find(':') != std::string_view::npos && !name.starts_with('[');
    return bare ? "[" + std::string(name) + "]" : std::string(name);
}

}  // namespace penstock::kubeapi
