// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/certificates.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <limits>

namespace penstock::tls {

namespace {

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct CertDeleter {
    void operator()(X509* cert) const { X509_free(cert); }
};
struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct ContextDeleter {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;
using Cert = std::unique_ptr<X509, CertDeleter>;
using Key = std::unique_ptr<EVP_PKEY, KeyDeleter>;
using Context = std::unique_ptr<SSL_CTX, ContextDeleter>;

Bio reading(std::string_view pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

Error refused(const std::string& object, const char* why) {
    ERR_clear_error();
    return Error{.code = Errc::invalid, .what = object + ": " + why};
}

Status load_chain(SSL_CTX* context, const CertificateInput& input) {
    const Bio bio = reading(input.chain_pem);
    const Cert leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (leaf == nullptr || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
        return refused(input.object, "its certificate cannot be used");
    }
    for (Cert next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)); next != nullptr;
         next.reset(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr))) {
        if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) {
            return refused(input.object, "its chain cannot be used");
        }
        static_cast<void>(next.release());  // the context owns it now
    }
    ERR_clear_error();  // the end of the PEM is an error to OpenSSL
    return success();
}

// A passphrase is never asked for: an encrypted key is of no use here.
int no_passphrase(char*, int, int, void*) { return 0; }

Result<bool> load_key(SSL_CTX* context, const CertificateInput& input) {
    const Bio bio = reading(input.key_pem);
    const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (key == nullptr || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
        return refused(input.object, "its key cannot be used with its certificate");
    }
    return EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC;
}

Result<Context> make_context(const CertificateInput& input, const CertificateOptions& options, bool& ecdsa) {
    Context context(SSL_CTX_new(TLS_server_method()));
    if (context == nullptr) {
        return refused(input.object, "OpenSSL has no context for it");
    }
    SSL_CTX_set_min_proto_version(context.get(), options.version_min);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Stateless resumption by tickets only; a server-side cache would be one more lock.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
    const unsigned char id[] = "penstock";
    SSL_CTX_set_session_id_context(context.get(), id, sizeof id - 1);
    PST_TRY(load_chain(context.get(), input));
    PST_TRY_ASSIGN(ecdsa, load_key(context.get(), input));
    return context;
}

}  // namespace

int CertificateSet::select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void* self) {
    const std::string& ours = static_cast<const CertificateSet*>(self)->alpn_wire_;
    unsigned char* chosen = nullptr;
    const int result = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()), static_cast<unsigned>(ours.size()), in, in_size);
    *out = chosen;
    // A client that offers none of ours still gets HTTP/1.1: refusing (RFC 7301) breaks old clients that offer oddities.
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

CertificateSet::~CertificateSet() {
    for (Entry& entry : entries_) {
        SSL_CTX_free(entry.context);
    }
}

Result<std::shared_ptr<const CertificateSet>> CertificateSet::build(const std::vector<CertificateInput>& inputs, const CertificateOptions& options) {
    auto set = std::make_shared<CertificateSet>();
    for (const std::string& protocol : options.alpn) {
        set->alpn_wire_ += static_cast<char>(protocol.size());
        set->alpn_wire_ += protocol;
    }
    for (const CertificateInput& input : inputs) {
        Entry entry;
        PST_TRY_ASSIGN(Context context, make_context(input, options, entry.ecdsa));
        if (!set->alpn_wire_.empty()) {
            SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, set.get());
        }
        entry.names = input.names;
        entry.context = context.release();
        set->entries_.push_back(std::move(entry));
    }
    if (set->entries_.empty()) {
        return Error{.code = Errc::invalid, .what = "a set without certificates"};
    }
    return std::shared_ptr<const CertificateSet>(std::move(set));
}

std::size_t CertificateSet::fit(const Entry& entry, const std::string& name) {
    std::size_t best = 0;
    const std::size_t dot = name.find('.');
    for (const std::string& pattern : entry.names) {
        if (pattern == name) {
            return std::numeric_limits<std::size_t>::max();
        }
        if (pattern.starts_with("*.") && dot != std::string::npos && name.compare(dot, std::string::npos, pattern, 1, std::string::npos) == 0) {
            best = std::max(best, pattern.size());
        }
    }
    return best;
}

ssl_ctx_st* CertificateSet::choose(const ClientHello& hello) const {
    const Entry* chosen = nullptr;
    std::size_t best = 0;
    for (const Entry& entry : entries_) {
        const std::size_t fits = hello.server_name.empty() ? 0 : fit(entry, hello.server_name);
        const bool usable = entry.ecdsa ? hello.ecdsa : hello.rsa || !hello.ecdsa;
        const bool chosen_usable = chosen != nullptr && (chosen->ecdsa ? hello.ecdsa : hello.rsa || !hello.ecdsa);
        const bool better = chosen == nullptr || fits > best || (fits == best && usable && (!chosen_usable || (entry.ecdsa && !chosen->ecdsa)));
        if (better) {
            chosen = &entry;
            best = fits;
        }
    }
    return chosen->context;
}

}  // namespace penstock::tls
