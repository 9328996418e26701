// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/base64.hpp"

#include <cstdint>

namespace penstock {

namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::optional<std::string> base64_decoded(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;  // of characters in `bits`
    int padding = 0;
    for (const char c : text) {
        if (c == '\n' || c == '\r' || c == ' ' || c == '\t') {
            continue;
        }
        const std::size_t digit = kAlphabet.find(c);
        padding += c == '=' ? 1 : 0;
        if (c != '=' && (digit == std::string_view::npos || padding > 0)) {
            return std::nullopt;
        }
        bits = bits << 6U | (c == '=' ? 0 : static_cast<std::uint32_t>(digit));
        if (++count == 4) {
            for (int i = 0; i < 3 - padding; ++i) {
                out.push_back(static_cast<char>(bits >> (16U - 8U * static_cast<unsigned>(i)) & 0xffU));
            }
            bits = 0;
            count = 0;
            if (padding > 2) {
                return std::nullopt;
            }
        }
    }
    return count == 0 && padding <= 2 ? std::optional(std::move(out)) : std::nullopt;
}

std::string base64_of(std::string_view bytes) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const std::string_view three = bytes.substr(at, 3);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            bits = bits << 8U | (i < three.size() ? static_cast<unsigned char>(three[i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out.push_back(i <= three.size() ? kAlphabet[bits >> (18U - 6U * static_cast<unsigned>(i)) & 63U] : '=');
        }
    }
    return out;
}

}  // namespace penstock
