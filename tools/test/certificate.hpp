// SPDX-License-Identifier: Apache-2.0
// For tests only: certificates with their keys, as PEM.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <string>

namespace penstock::test {

struct Pair {
    std::string chain, key;
};

inline std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return text;
}

inline X509* certificate_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
}

inline EVP_PKEY* key_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return key;
}

// What `context` shows of itself.
inline void use_pair(SSL_CTX* context, const Pair& pair) {
    X509* certificate = certificate_of(pair.chain);
    EVP_PKEY* key = key_of(pair.key);
    SSL_CTX_use_certificate(context, certificate);
    SSL_CTX_use_PrivateKey(context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

struct CertificateSpec {
    std::string name;                   // common name
    std::string names = {};             // subjectAltName as OpenSSL writes it: "DNS:a.example,URI:spiffe://a/b"
    const char* kind = "P-256";         // or "RSA", "ED25519"
    const Pair* issuer = nullptr;       // none: signed by itself
    bool ca = false;
    long valid_seconds = 86400;         // from now; negative: over already
};

inline void add_extension(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

inline Pair issue(const CertificateSpec& spec) {
    const std::string kind = spec.kind;
    EVP_PKEY* key = kind == "RSA" ? EVP_RSA_gen(2048) : kind == "ED25519" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519") : EVP_EC_gen(spec.kind);
    X509* issuer = spec.issuer != nullptr ? certificate_of(spec.issuer->chain) : nullptr;
    EVP_PKEY* issuer_key = spec.issuer != nullptr ? key_of(spec.issuer->key) : nullptr;
    X509* cert = X509_new();
    static long serial = 0;
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), std::min(-3600L, spec.valid_seconds - 3600));
    X509_gmtime_adj(X509_getm_notAfter(cert), spec.valid_seconds);
    X509_set_pubkey(cert, key);
    X509_NAME* subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(spec.name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert, issuer != nullptr ? X509_get_subject_name(issuer) : subject);
    if (spec.ca) {
        add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    if (!spec.names.empty()) {
        add_extension(cert, NID_subject_alt_name, spec.names);
    }
    EVP_PKEY* signer = issuer_key != nullptr ? issuer_key : key;
    X509_sign(cert, signer, EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256());
    BIO* chain = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(chain, cert);
    BIO* pem = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(pem, key, nullptr, nullptr, 0, nullptr, nullptr);
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    EVP_PKEY_free(issuer_key);
    return {text_of(chain), text_of(pem)};
}

inline Pair make_certificate(const std::string& name, bool ecdsa = true) { return issue({.name = name, .kind = ecdsa ? "P-256" : "RSA"}); }

}  // namespace penstock::test
