// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/websocket.hpp"

#include <sys/random.h>

#include <array>
#include <cstdint>

#include "userspace/base/base64.hpp"
#include "userspace/tls/digest.hpp"

namespace penstock::proxy {

std::string make_websocket_key() {
    std::array<std::uint8_t, 16> bytes = {};
    static_cast<void>(::getrandom(bytes.data(), bytes.size(), 0));
    return base64_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::string websocket_accept_of(std::string_view key) {
    const auto digest = tls::sha1(std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    return base64_of({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace penstock::proxy
