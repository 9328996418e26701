// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/library.hpp"

#include <openssl/ssl.h>

namespace penstock::tls {

void load_library() {
    OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS, nullptr);
    SSL_CTX_free(SSL_CTX_new(TLS_server_method()));  // fetches every algorithm of the configured providers
}

}  // namespace penstock::tls
