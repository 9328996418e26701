// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/certificate.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "tools/test/catch.hpp"

namespace penstock::check {
namespace {

struct Pair {
    std::string cert;
    std::string key;
};

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free_all(bio);
    return text;
}

// A self-signed certificate; `sans` in OpenSSL's form ("DNS:a,DNS:b") or empty.
Pair make(const char* common_name, const std::string& sans) {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    if (!sans.empty()) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, sans.c_str());
        X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(cert, key, EVP_sha256());
    BIO* cert_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert_bio, cert);
    BIO* key_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    X509_free(cert);
    EVP_PKEY_free(key);
    return {text_of(cert_bio), text_of(key_bio)};
}

TEST_CASE("check: a certificate gives its chain, its names in lower case and the key's type") {
    const Pair pair = make("ignored.example.com", "DNS:Shop.Example.com,DNS:*.example.com,IP:10.0.0.1");
    const auto result = check_certificate(pair.cert, pair.key);
    REQUIRE(result.ok());
    CHECK(result->names == std::vector<std::string>{"*.example.com", "shop.example.com"});
    CHECK(result->key_type == "EC");
    CHECK(result->chain_pem == pair.cert);
}

TEST_CASE("check: the common name serves where there is no alternative name, also a bare star") {
    const Pair pair = make("*", "");
    const auto result = check_certificate(pair.cert, pair.key);
    REQUIRE(result.ok());
    CHECK(result->names == std::vector<std::string>{"*"});
}

TEST_CASE("check: a chain is kept whole and text between its blocks is dropped") {
    const Pair leaf = make("a.example.com", "");
    const Pair issuer = make("ca", "");
    const auto result = check_certificate("# leaf\n" + leaf.cert + "issuer follows\n" + issuer.cert, leaf.key);
    REQUIRE(result.ok());
    CHECK(result->chain_pem == leaf.cert + issuer.cert);
}

TEST_CASE("check: what cannot serve is refused with a sentence and without the key") {
    const Pair one = make("a.example.com", "");
    const Pair other = make("b.example.com", "");
    std::string damaged = one.cert;
    damaged.replace(damaged.size() / 2, 8, "!!!!!!!!");
    struct Row {
        std::string cert;
        std::string key;
        std::string says;
    };
    const Row rows[] = {
        {"", one.key, "no PEM block"},
        {"Hello world\n", one.key, "no PEM block"},
        {one.key, one.key, "no PEM block"},
        {damaged, one.key, "not valid PEM"},
        {one.cert + damaged, one.key, "not valid PEM: block 2"},
        {one.cert, "", "private key is not valid PEM"},
        {one.cert, one.cert, "private key is not valid PEM"},
        {one.cert, other.key, "does not belong"},
        {std::string(2U << 20, 'x'), one.key, "larger than 1 MiB"},
    };
    for (const Row& row : rows) {
        const auto result = check_certificate(row.cert, row.key);
        INFO(row.says);
        REQUIRE_FALSE(result.ok());
        CHECK(result.error().what.find(row.says) != std::string::npos);
        CHECK(result.error().report().find("PRIVATE KEY") == std::string::npos);
    }
}

}  // namespace
}  // namespace penstock::check
