// SPDX-License-Identifier: Apache-2.0
// What a WebSocket's opening handshake needs where we speak for a client (RFC 6455 4.1).
#pragma once

#include <string>
#include <string_view>

namespace penstock::proxy {

std::string make_websocket_key();                       // 16 random bytes in base64
std::string websocket_accept_of(std::string_view key);  // what a server that has read the key answers

}  // namespace penstock::proxy
