// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/websocket.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "userspace/tls/digest.hpp"

namespace penstock::proxy {

namespace {

std::string base64_of(std::span<const std::uint8_t> bytes) {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (; !bytes.empty(); bytes = bytes.subspan(std::min<std::size_t>(3, bytes.size()))) {
        unsigned three = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            three = three << 8 | (i < bytes.size() ? bytes[i] : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            text += i <= bytes.size() ? kDigits[three >> (18 - 6 * i) & 63] : '=';
        }
    }
    return text;
}

}  // namespace

std::string make_websocket_key() {
    std::array<std::uint8_t, 16> bytes = {};
    static_cast<void>(::getrandom(bytes.data(), bytes.size(), 0));
    return base64_of(bytes);
}

std::string websocket_accept_of(std::string_view key) {
    return base64_of(tls::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
}

}  // namespace penstock::proxy
