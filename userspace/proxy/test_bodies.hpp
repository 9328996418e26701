// SPDX-License-Identifier: Apache-2.0
// For tests: a backend's way with bodies.
#pragma once

#include <string>

#include "userspace/proxy/testing.hpp"

namespace penstock::proxy::testing {

// Answers with the chunks of a request whose head was read, while they still come, and its trailers.
inline void echo_chunks(Peer& peer) {
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (;;) {
        const std::string line = peer.take_until("\r\n");
        const std::size_t size = line.empty() ? 0 : std::stoul(line, nullptr, 16);
        if (size == 0) {
            peer.send("0\r\n" + peer.take_until("\r\n\r\n"));
            return;
        }
        peer.send(line + peer.take(size + 2));
    }
}

}  // namespace penstock::proxy::testing
