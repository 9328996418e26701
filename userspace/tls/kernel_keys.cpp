// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/kernel_keys.hpp"

#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace penstock::tls {

namespace {

// The structures of the three ciphers differ only in sizes. ChaCha20 has the whole nonce in `iv`, of TLS 1.2 with GCM the first four bytes
// are `salt` and the rest is what a record carries: its number, as in RecordCipher.
template <class Info>
bool give(int fd, const Direction& direction, Way way, std::uint16_t cipher) {
    Info info = {};
    info.info.version = direction.tls13 ? TLS_1_3_VERSION : TLS_1_2_VERSION;
    info.info.cipher_type = cipher;
    const auto key = direction.key.key.bytes();
    PST_ASSERT(key.size() == sizeof info.key);
    std::memcpy(info.key, key.data(), key.size());
    std::uint64_t number = direction.sequence;
    for (std::size_t i = sizeof info.rec_seq; i-- > 0; number >>= 8) {
        info.rec_seq[i] = static_cast<unsigned char>(number);
    }
    constexpr std::size_t kSalt = 12 - sizeof info.iv;
    std::memcpy(info.salt, direction.key.iv.data(), kSalt);
    if (kSalt != 0 && !direction.tls13) {
        std::memcpy(info.iv, info.rec_seq, sizeof info.iv);
    } else {
        std::memcpy(info.iv, direction.key.iv.data() + kSalt, sizeof info.iv);
    }
    const bool taken = ::setsockopt(fd, SOL_TLS, way == Way::write ? TLS_TX : TLS_RX, &info, sizeof info) == 0;
    OPENSSL_cleanse(&info, sizeof info);
    return taken;
}

}  // namespace

int attach_kernel(int fd) { return ::setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 ? 0 : errno; }

bool give_key(int fd, const Direction& direction, Way way) {
    switch (direction.suite.cipher) {
        case Cipher::aes128_gcm: return give<tls12_crypto_info_aes_gcm_128>(fd, direction, way, TLS_CIPHER_AES_GCM_128);
        case Cipher::aes256_gcm: return give<tls12_crypto_info_aes_gcm_256>(fd, direction, way, TLS_CIPHER_AES_GCM_256);
        case Cipher::chacha20_poly1305: break;
    }
    return give<tls12_crypto_info_chacha20_poly1305>(fd, direction, way, TLS_CIPHER_CHACHA20_POLY1305);
}

void fetch_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

}  // namespace penstock::tls
