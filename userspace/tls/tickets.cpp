// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/tickets.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "userspace/base/assert.hpp"

namespace penstock::tls {

namespace {

// Fetched once: by name it costs a look-up under a lock for each ticket.
const EVP_CIPHER* ticket_cipher() {
    static const EVP_CIPHER* const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
    return cipher;
}

int context_index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

bool prepare(const TicketKey& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key.mac.data()), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(cipher, ticket_cipher(), nullptr, key.aes.data(), iv, seal) == 1 && EVP_MAC_CTX_set_params(mac, params) == 1;
}

// OpenSSL: 1 use it, 2 use it and give a new ticket, 0 no such key (a full handshake), -1 an error.
int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
    const auto& keys = *static_cast<const TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index()));
    if (seal != 0) {
        const TicketKey key = keys.current();
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(ticket_cipher())) != 1) {
            return -1;
        }
        std::copy(key.name.begin(), key.name.end(), name);
        return prepare(key, iv, cipher, mac, seal) ? 1 : -1;
    }
    const auto found = keys.find(std::span<const std::uint8_t, 16>(name, 16));
    if (!found) {
        return 0;
    }
    // Clients of TLS 1.3 use a ticket once (RFC 8446 C.4): without a new one every other handshake would be full.
    const bool renew = !found->current || SSL_version(ssl) >= TLS1_3_VERSION;
    return !prepare(found->key, iv, cipher, mac, seal) ? -1 : renew ? 2 : 1;
}

}  // namespace

std::optional<TicketKey> TicketKey::parse(std::span<const std::uint8_t> bytes) {
    if (bytes.size() != kBytes) {
        return std::nullopt;
    }
    TicketKey key;
    std::copy_n(bytes.begin(), 16, key.name.begin());
    std::copy_n(bytes.begin() + 16, 32, key.aes.begin());
    std::copy_n(bytes.begin() + 48, 32, key.mac.begin());
    return key;
}

TicketKey TicketKey::random() {
    TicketKey key;
    PST_ASSERT(RAND_bytes(key.name.data(), 16) == 1 && RAND_priv_bytes(key.aes.data(), 32) == 1 && RAND_priv_bytes(key.mac.data(), 32) == 1);
    return key;
}

TicketKey::~TicketKey() {
    OPENSSL_cleanse(aes.data(), aes.size());
    OPENSSL_cleanse(mac.data(), mac.size());
}

void TicketKeys::set(std::vector<TicketKey> keys) {
    PST_ASSERT(!keys.empty());
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
}

TicketKey TicketKeys::current() const {
    const std::lock_guard lock(mutex_);
    return keys_.front();
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const std::uint8_t, 16> name) const {
    const std::lock_guard lock(mutex_);
    for (const TicketKey& key : keys_) {
        if (std::equal(name.begin(), name.end(), key.name.begin())) {
            return Found{key, &key == &keys_.front()};
        }
    }
    return std::nullopt;
}

void TicketKeys::attach(ssl_ctx_st* context) const {
    PST_ASSERT(SSL_CTX_set_ex_data(context, context_index(), const_cast<TicketKeys*>(this)) == 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
}

}  // namespace penstock::tls
