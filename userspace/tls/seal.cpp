// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/seal.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <memory>

#include "userspace/base/assert.hpp"

namespace penstock::tls {

namespace {

constexpr std::size_t kTagBytes = 16;  // before the ciphertext, as RFC 5297 has it
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// Fetched once: by name it costs a look-up under a lock each time.
const EVP_CIPHER* siv() {
    static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-SIV", nullptr);
    return cipher;
}

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

EVP_CIPHER_CTX* fresh_context() {
    thread_local const std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context(EVP_CIPHER_CTX_new());
    PST_ASSERT(context != nullptr && EVP_CIPHER_CTX_reset(context.get()) == 1);
    return context.get();
}

const std::uint8_t* bytes(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }
std::uint8_t* bytes(std::string& text) { return reinterpret_cast<std::uint8_t*>(text.data()); }

std::string to_text(std::string_view value) {
    std::string text;
    text.reserve((value.size() * 4 + 2) / 3);
    std::uint32_t held = 0;
    int bits = 0;
    for (const char c : value) {
        held = held << 8 | static_cast<std::uint8_t>(c);
        for (bits += 8; bits >= 6; bits -= 6) {
            text += kDigits[held >> (bits - 6) & 63];
        }
    }
    if (bits > 0) {
        text += kDigits[held << (6 - bits) & 63];
    }
    return text;
}

std::optional<std::string> from_text(std::string_view text) {
    std::string value;
    std::uint32_t held = 0;
    int bits = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        held = held << 6 | static_cast<std::uint32_t>(digit);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            value += static_cast<char>(held >> bits & 255);
        }
    }
    // One text for one value: nothing is left over.
    return bits < 6 && (held & ((1U << bits) - 1)) == 0 ? std::optional(std::move(value)) : std::nullopt;
}

}  // namespace

Seal::Seal(std::string_view secret, std::string_view purpose) {
    static_assert(kKeyBytes == 32, "what SHA-256 gives");
    PST_ASSERT(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), bytes(purpose), purpose.size(), key_.data(), nullptr) != nullptr);
}

Seal::~Seal() { OPENSSL_cleanse(key_.data(), key_.size()); }

std::string Seal::seal(std::string_view value, std::string_view scope) const {
    EVP_CIPHER_CTX* context = fresh_context();
    std::string sealed(kTagBytes + value.size(), '\0');
    int size = 0;
    PST_ASSERT(EVP_EncryptInit_ex(context, siv(), nullptr, key_.data(), nullptr) == 1);
    PST_ASSERT(EVP_EncryptUpdate(context, nullptr, &size, bytes(scope), static_cast<int>(scope.size())) == 1);
    PST_ASSERT(EVP_EncryptUpdate(context, bytes(sealed) + kTagBytes, &size, bytes(value), static_cast<int>(value.size())) == 1);
    PST_ASSERT(EVP_EncryptFinal_ex(context, bytes(sealed) + kTagBytes, &size) == 1);
    PST_ASSERT(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, sealed.data()) == 1);
    return to_text(sealed);
}

std::optional<std::string> Seal::open(std::string_view text, std::string_view scope) const {
    auto sealed = text.size() <= kTextMax ? from_text(text) : std::nullopt;
    if (!sealed || sealed->size() <= kTagBytes) {
        return std::nullopt;
    }
    EVP_CIPHER_CTX* context = fresh_context();
    std::string value(sealed->size() - kTagBytes, '\0');
    int size = 0;
    const bool opened = EVP_DecryptInit_ex(context, siv(), nullptr, key_.data(), nullptr) == 1 &&
                        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, sealed->data()) == 1 &&
                        EVP_DecryptUpdate(context, nullptr, &size, bytes(scope), static_cast<int>(scope.size())) == 1 &&
                        EVP_DecryptUpdate(context, bytes(value), &size, bytes(*sealed) + kTagBytes, static_cast<int>(value.size())) == 1 &&
                        EVP_DecryptFinal_ex(context, bytes(value), &size) == 1;
    return opened ? std::optional(std::move(value)) : std::nullopt;
}

}  // namespace penstock::tls
