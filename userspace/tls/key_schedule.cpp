// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/key_schedule.hpp"

#include <openssl/core_names.h>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

// HMAC with one key, as often as wanted.
class Hmac {
public:
    Hmac(bool sha384, std::span<const std::uint8_t> key) : size_(sha384 ? 48 : 32), context_(EVP_MAC_CTX_new(fetched())) {
        char digest[] = "SHA256";
        char longer[] = "SHA384";
        const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, sha384 ? longer : digest, 0), OSSL_PARAM_construct_end()};
        PST_ASSERT(context_ != nullptr && EVP_MAC_init(context_.get(), key.data(), key.size(), params) == 1);
    }
    void add(std::span<const std::uint8_t> bytes) { PST_ASSERT(EVP_MAC_update(context_.get(), bytes.data(), bytes.size()) == 1); }
    // size() bytes; afterwards it can be used again.
    void finish(std::uint8_t* out) {
        PST_ASSERT(EVP_MAC_final(context_.get(), out, nullptr, size_) == 1);
        PST_ASSERT(EVP_MAC_init(context_.get(), nullptr, 0, nullptr) == 1);
    }
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    // Fetched once: by name it costs more than the hashing.
    static EVP_MAC* fetched() {
        static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
        return mac;
    }
    std::size_t size_;
    std::unique_ptr<EVP_MAC_CTX, Freeing<&EVP_MAC_CTX_free>> context_;
};

std::span<const std::uint8_t> bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// One block is enough for all that is derived here: no output is longer than the hash.
void expand_with(Hmac& hmac, std::string_view label, std::span<std::uint8_t> out) {
    PST_ASSERT(out.size() <= hmac.size());
    const std::uint8_t head[] = {0, static_cast<std::uint8_t>(out.size()), static_cast<std::uint8_t>(6 + label.size())};
    const std::uint8_t tail[] = {0, 1};  // no context; the first block
    std::uint8_t block[EVP_MAX_MD_SIZE];
    hmac.add(head);
    hmac.add(bytes_of("tls13 "));
    hmac.add(bytes_of(label));
    hmac.add(tail);
    hmac.finish(block);
    std::copy_n(block, out.size(), out.begin());
    OPENSSL_cleanse(block, sizeof block);
}

// P_hash of RFC 5246 5.
void expand_block(bool sha384, std::span<const std::uint8_t> secret, std::span<const std::uint8_t> seed, std::span<std::uint8_t> out) {
    Hmac hmac(sha384, secret);
    std::uint8_t a[EVP_MAX_MD_SIZE];
    std::uint8_t block[EVP_MAX_MD_SIZE];
    hmac.add(seed);
    hmac.finish(a);
    while (!out.empty()) {
        hmac.add({a, hmac.size()});
        hmac.add(seed);
        hmac.finish(block);
        const std::size_t count = std::min(out.size(), hmac.size());
        std::copy_n(block, count, out.begin());
        out = out.subspan(count);
        hmac.add({a, hmac.size()});
        hmac.finish(a);
    }
    OPENSSL_cleanse(a, sizeof a);
    OPENSSL_cleanse(block, sizeof block);
}

}  // namespace

std::optional<Suite> Suite::of(const SSL_CIPHER* cipher) {
    const EVP_MD* hash = cipher != nullptr ? SSL_CIPHER_get_handshake_digest(cipher) : nullptr;
    if (hash == nullptr || (EVP_MD_get_size(hash) != 32 && EVP_MD_get_size(hash) != 48)) {
        return std::nullopt;
    }
    const bool sha384 = EVP_MD_get_size(hash) == 48;
    switch (SSL_CIPHER_get_cipher_nid(cipher)) {
        case NID_aes_128_gcm: return Suite{Cipher::aes128_gcm, sha384};
        case NID_aes_256_gcm: return Suite{Cipher::aes256_gcm, sha384};
        case NID_chacha20_poly1305: return Suite{Cipher::chacha20_poly1305, sha384};
        default: return std::nullopt;
    }
}

void expand_label(bool sha384, std::span<const std::uint8_t> secret, std::string_view label, std::span<std::uint8_t> out) {
    Hmac hmac(sha384, secret);
    expand_with(hmac, label, out);
}

RecordKey record_key(const Suite& suite, const Secret& traffic_secret) {
    Hmac hmac(suite.sha384, traffic_secret.bytes());
    std::array<std::uint8_t, 32> bytes = {};
    const auto part = std::span(bytes).first(suite.key_bytes());
    expand_with(hmac, "key", part);
    RecordKey key{.key = Secret(part)};
    expand_with(hmac, "iv", key.iv);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return key;
}

Secret next_secret(const Suite& suite, const Secret& traffic_secret) {
    std::array<std::uint8_t, Secret::kMax> bytes = {};
    const auto part = std::span(bytes).first(traffic_secret.bytes().size());
    expand_label(suite.sha384, traffic_secret.bytes(), "traffic upd", part);
    const Secret next(part);
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return next;
}

KeyBlock key_block(const Suite& suite, const Secret& master, std::span<const std::uint8_t, 32> client_random, std::span<const std::uint8_t, 32> server_random) {
    constexpr std::string_view kLabel = "key expansion";
    std::array<std::uint8_t, kLabel.size() + 64> seed = {};
    auto at = std::copy(kLabel.begin(), kLabel.end(), seed.begin());
    at = std::copy(server_random.begin(), server_random.end(), at);
    std::copy(client_random.begin(), client_random.end(), at);

    const std::size_t iv_bytes = suite.cipher == Cipher::chacha20_poly1305 ? 12 : 4;
    std::array<std::uint8_t, 2 * 32 + 2 * 12> bytes = {};
    const auto part = std::span(bytes).first(2 * (suite.key_bytes() + iv_bytes));
    expand_block(suite.sha384, master.bytes(), seed, part);
    KeyBlock block;
    block.client.key = Secret(part.first(suite.key_bytes()));
    block.server.key = Secret(part.subspan(suite.key_bytes(), suite.key_bytes()));
    std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(2 * suite.key_bytes()), iv_bytes, block.client.iv.begin());
    std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(2 * suite.key_bytes() + iv_bytes), iv_bytes, block.server.iv.begin());
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return block;
}

}  // namespace penstock::tls
