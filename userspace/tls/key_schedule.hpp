// SPDX-License-Identifier: Apache-2.0
// From the secrets of a finished handshake to the keys of its records (RFC 8446 7.3, RFC 5246 6.3, RFC 5288, RFC 7905). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "userspace/tls/bytes.hpp"

struct ssl_cipher_st;

namespace penstock::tls {

enum class Cipher : std::uint8_t { aes128_gcm, aes256_gcm, chacha20_poly1305 };

// The cipher and hash of a suite that we have a record layer for.
struct Suite {
    Cipher cipher = Cipher::aes128_gcm;
    bool sha384 = false;

    [[nodiscard]] std::size_t key_bytes() const { return cipher == Cipher::aes128_gcm ? 16 : 32; }
    // None: OpenSSL must go on with it itself.
    static std::optional<Suite> of(const ssl_cipher_st* cipher);
};

// Of one direction.
struct RecordKey {
    Secret key;
    std::array<std::uint8_t, 12> iv = {};  // TLS 1.2 with GCM has the first four bytes only
};

// ---- TLS 1.3 ------------------------------------------------------------------------------------------------------------------
// RFC 8446 7.1, with an empty context.
void expand_label(bool sha384, std::span<const std::uint8_t> secret, std::string_view label, std::span<std::uint8_t> out);
RecordKey record_key(const Suite& suite, const Secret& traffic_secret);
// What follows a traffic secret after a KeyUpdate.
Secret next_secret(const Suite& suite, const Secret& traffic_secret);

// ---- TLS 1.2 ------------------------------------------------------------------------------------------------------------------
struct KeyBlock {
    RecordKey client, server;  // what they write with
};
KeyBlock key_block(const Suite& suite, const Secret& master, std::span<const std::uint8_t, 32> client_random, std::span<const std::uint8_t, 32> server_random);

}  // namespace penstock::tls
