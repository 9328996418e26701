// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/websocket.hpp"

#include <sys/random.h>

#include <array>

namespace penstock::proxy {

std::string make_websocket_key() {
    static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::array<unsigned char, 18> bytes = {};  // the last two stay 0: padding
    static_cast<void>(::getrandom(bytes.data(), 16, 0));
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const unsigned three = static_cast<unsigned>(bytes[i]) << 16 | static_cast<unsigned>(bytes[i + 1]) << 8 | bytes[i + 2];
        for (const int shift : {18, 12, 6, 0}) {
            text += kDigits[three >> shift & 63];
        }
    }
    text.replace(22, 2, "==");
    return text;
}

}  // namespace penstock::proxy
