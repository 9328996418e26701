// SPDX-License-Identifier: Apache-2.0
// Holds a text against a set of bytes, 16 at a time: what costs most of a parse if done byte by byte. The vectors are the compiler's,
// so every machine has them; nothing outside the text is read.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace penstock::http::scan {

using Bytes16 [[gnu::vector_size(16)]] = std::uint8_t;
using Bytes8 [[gnu::vector_size(8)]] = std::uint8_t;

template <class Bytes>
Bytes load(const char* at) {
    Bytes bytes;
    std::memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

inline bool is_set(Bytes16 mask) {
    std::uint64_t words[2];
    std::memcpy(words, &mask, sizeof mask);
    return (words[0] | words[1]) != 0;
}
inline bool is_set(Bytes8 mask) {
    std::uint64_t word = 0;
    std::memcpy(&word, &mask, sizeof mask);
    return word != 0;
}

// Whether some byte of the text is in the set. `Set::has` takes 16 bytes, 8 or one, and gives what is not zero where they are in it.
template <class Set>
bool any(std::string_view text) {
    const char* at = text.data();
    const std::size_t size = text.size();
    if (size >= 16) {
        const char* const last = at + size - 16;
        auto found = Set::has(load<Bytes16>(last));  // the end, with some of what comes before
        for (; at < last; at += 16) {
            found |= Set::has(load<Bytes16>(at));
        }
        return is_set(Bytes16(found));
    }
    if (size >= 8) {
        return is_set(Bytes8(Set::has(load<Bytes8>(at)) | Set::has(load<Bytes8>(at + size - 8))));
    }
    int found = 0;
    for (std::size_t i = 0; i < size; ++i) {
        found |= Set::has(static_cast<std::uint8_t>(at[i]));
    }
    return found != 0;
}

// Control characters but the tab: not in a field's value (RFC 9110 5.5).
struct Controls {
    template <class Bytes>
    static auto has(Bytes b) {
        return ((b < 0x20) & (b != '\t')) | (b == 0x7f);
    }
};

// Not in a request's target: what RFC 3986 has no place for and others read in their own way.
struct NotTarget {
    template <class Bytes>
    static auto has(Bytes b) {
        return (b <= 0x20) | (b >= 0x7f) | (b == '#') | (b == '\\');
    }
};

// What would end a line that is written, or a C string.
struct Breaks {
    template <class Bytes>
    static auto has(Bytes b) {
        return (b == '\r') | (b == '\n') | (b == 0);
    }
};

}  // namespace penstock::http::scan
