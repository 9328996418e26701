// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/certificate.hpp"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "tools/test/catch.hpp"
#include "tools/test/certificate.hpp"

namespace penstock::check {
namespace {

using test::Pair;
using test::text_of;

// Holds from an hour ago for two; `names` in OpenSSL's form ("DNS:a,DNS:b") or empty.
Pair make(const char* common_name, const std::string& names) { return test::issue({.name = common_name, .names = names, .valid_seconds = 3600}); }

TEST_CASE("check: a certificate gives its chain, its names in lower case and the key's type") {
    const Pair pair = make("ignored.example.com", "DNS:Shop.Example.com,DNS:*.example.com,IP:10.0.0.1");
    const auto result = check_certificate(pair.chain, pair.key);
    REQUIRE(result.ok());
    CHECK(result->names == std::vector<std::string>{"*.example.com", "shop.example.com"});
    CHECK(result->key_type == "EC");
    CHECK(result->chain_pem == pair.chain);
}

TEST_CASE("check: the common name serves where there is no alternative name, also a bare star") {
    const Pair pair = make("*", "");
    const auto result = check_certificate(pair.chain, pair.key);
    REQUIRE(result.ok());
    CHECK(result->names == std::vector<std::string>{"*"});
}

TEST_CASE("check: a chain is kept whole and text between its blocks is dropped") {
    const Pair leaf = make("a.example.com", "");
    const Pair issuer = make("ca", "");
    const auto result = check_certificate("# leaf\n" + leaf.chain + "issuer follows\n" + issuer.chain, leaf.key);
    REQUIRE(result.ok());
    CHECK(result->chain_pem == leaf.chain + issuer.chain);
}

TEST_CASE("check: what cannot serve is refused with a sentence and without the key") {
    const Pair one = make("a.example.com", "");
    const Pair other = make("b.example.com", "");
    std::string damaged = one.chain;
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
        {one.chain + damaged, one.key, "not valid PEM: block 2"},
        {one.chain, "", "private key is not valid PEM"},
        {one.chain, one.chain, "private key is not valid PEM"},
        {one.chain, other.key, "does not belong"},
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

TEST_CASE("check: a bundle of authorities is whole or refused") {
    const Pair one = make("one", "");
    const Pair two = make("two", "");
    const auto bundle = check_authorities("# comment\n" + one.chain + two.chain);
    REQUIRE(bundle.ok());
    CHECK(*bundle == one.chain + two.chain);
    CHECK_FALSE(check_authorities("").ok());
    CHECK_FALSE(check_authorities(one.chain + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ok());
    CHECK(check_authorities(std::string(2U << 20, 'x')).error().what == "the bundle is larger than 1 MiB");
}

// A response that says "good" of a certificate, signed by its own key.
std::string staple_of(const Pair& pair) {
    BIO* cert_bio = BIO_new_mem_buf(pair.chain.data(), static_cast<int>(pair.chain.size()));
    BIO* key_bio = BIO_new_mem_buf(pair.key.data(), static_cast<int>(pair.key.size()));
    X509* cert = PEM_read_bio_X509(cert_bio, nullptr, nullptr, nullptr);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(key_bio, nullptr, nullptr, nullptr);
    OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), cert, cert);
    ASN1_TIME* now = X509_gmtime_adj(nullptr, 0);
    OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, nullptr, now, nullptr);
    OCSP_basic_sign(basic, cert, key, EVP_sha256(), nullptr, 0);
    OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char* der = nullptr;
    const int size = i2d_OCSP_RESPONSE(response, &der);
    std::string out(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
    OPENSSL_free(der);
    OCSP_RESPONSE_free(response);
    ASN1_TIME_free(now);
    OCSP_CERTID_free(id);
    OCSP_BASICRESP_free(basic);
    EVP_PKEY_free(key);
    X509_free(cert);
    BIO_free(key_bio);
    BIO_free(cert_bio);
    return out;
}

TEST_CASE("check: a staple is an OCSP response about the certificate") {
    const Pair pair = make("one", "");
    const Pair other = make("two", "");
    const std::string der = staple_of(pair);
    CHECK(check_staple(pair.chain, der).ok());
    CHECK(check_staple(other.chain, der).error().what == "the OCSP response tells nothing of this certificate");
    CHECK(check_staple(pair.chain, der + "x").error().what == "it is no OCSP response in DER");
    CHECK_FALSE(check_staple(pair.chain, "").ok());
    CHECK_FALSE(check_staple(pair.chain, der.substr(0, der.size() / 2)).ok());
    CHECK_FALSE(check_staple(pair.chain, std::string("\x30\x03\x0a\x01\x06", 5)).ok());  // "unauthorized"
}

TEST_CASE("check: how long a chain holds is until its first certificate expires, and its key is not needed") {
    const Pair pair = make("a.example", "DNS:b.example");
    const auto validity = validity_of(pair.chain + make("c", "").chain);
    REQUIRE(validity.ok());
    CHECK(validity->until_s - validity->from_s >= 7200);
    CHECK(validity->until_s - validity->from_s <= 7201);  // a second may begin between the two
    CHECK(validity->names == std::vector<std::string>{"b.example"});
    CHECK_FALSE(validity_of("").ok());
    CHECK_FALSE(validity_of(std::string((1U << 20) + 1, 'x')).ok());
}

}  // namespace
}  // namespace penstock::check
