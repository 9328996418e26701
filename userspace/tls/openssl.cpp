// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/openssl.hpp"

#include <openssl/pem.h>

namespace penstock::tls {

namespace {

Status load_chain(SSL_CTX* context, std::string_view pem, const std::string& object) {
    const BioPtr bio = reading(pem);
    const CertPtr leaf(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
    if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
        return refused(object, "its certificate cannot be used");
    }
    for (CertPtr next(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)); next != nullptr;
         next.reset(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr))) {
        if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
            return refused(object, "its chain cannot be used");
        }
        static_cast<void>(next.release());  // the context owns it now
    }
    ERR_clear_error();  // the end of the PEM is an error to OpenSSL
    return success();
}

}  // namespace

Status load_pair(SSL_CTX* context, std::string_view chain_pem, std::string_view key_pem, const std::string& object) {
    PST_TRY(load_chain(context, chain_pem, object));
    const BioPtr bio = reading(key_pem);
    const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
        return refused(object, "its key cannot be used with its certificate");
    }
    return success();
}

}  // namespace penstock::tls
