// SPDX-License-Identifier: Apache-2.0
// OpenSSL's objects as owned values, and its errors as ours. For this folder's sources only: the public headers name OpenSSL's structs
// without including them.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "userspace/base/result.hpp"

namespace penstock::tls {

template <auto Free>
struct Freeing {
    template <class Object>
    void operator()(Object* object) const {
        Free(object);
    }
};
using BioPtr = std::unique_ptr<BIO, Freeing<&BIO_free>>;
using CertPtr = std::unique_ptr<X509, Freeing<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freeing<&EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Freeing<&SSL_CTX_free>>;

// A passphrase is never asked for: an encrypted key is of no use here.
inline int no_passphrase(char*, int, int, void*) { return 0; }

inline BioPtr reading(std::string_view pem) { return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

// "Secret default/shop: its key cannot be used", without a byte of what was refused.
inline Error refused(const std::string& object, const std::string& why) {
    ERR_clear_error();
    return Error{.code = Errc::invalid, .what = object + ": " + why};
}

// The leaf, its chain and its key into a context. What fails is told by `object`.
Status load_pair(SSL_CTX* context, std::string_view chain_pem, std::string_view key_pem, const std::string& object);

}  // namespace penstock::tls
