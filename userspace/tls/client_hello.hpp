// SPDX-License-Identifier: Apache-2.0
// The first bytes of a TLS connection, read without terminating it (RFC 8446 4.1.2, 5.1; RFC 6066 3). Strict and bounded; the result
// does not depend on how the bytes were cut into segments or the message into records.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace penstock::tls {

inline constexpr std::size_t kHelloMax = 16 * 1024;   // bytes of the handshake message
inline constexpr std::size_t kRecordsMax = 64;        // records that it may be spread over

struct ClientHello {
    std::string server_name;         // lower case, without trailing dot; empty: none was sent
    std::vector<std::string> alpn;   // in the client's order
    std::uint16_t version_max = 0;   // highest of supported_versions (without GREASE), else legacy_version
    bool ecdsa = false;              // the client can take an ECDSA certificate: a signature scheme, and before TLS 1.3 a suite
    bool rsa = false;                // the same for RSA
    bool ed25519 = false;
};

enum class HelloResult : std::uint8_t {
    more,       // not whole yet
    done,
    not_tls,    // no handshake record of TLS at all: send nothing, or route as plain bytes
    malformed   // TLS that contradicts itself, or is over the limits
};

// Parses everything that has arrived so far, from the connection's first byte. `fault` says why it is malformed.
HelloResult parse_client_hello(std::span<const std::uint8_t> bytes, ClientHello& hello, std::string& fault);

}  // namespace penstock::tls
