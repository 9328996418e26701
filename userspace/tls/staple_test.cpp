// SPDX-License-Identifier: Apache-2.0
// OCSP stapling with OpenSSL's client, with responses made at run time.
#include <openssl/ocsp.h>

#include "tools/test/catch.hpp"
#include "userspace/tls/testing.hpp"

using namespace penstock;
using namespace penstock::tls;
using namespace penstock::tls::testing;

namespace {

struct ResponseSpec {
    int status = V_OCSP_CERTSTATUS_GOOD;
    long from = -60, until = 3600;  // seconds from now
    bool ends = true;
};

std::vector<std::uint8_t> make_response(const Pair& ca, const Pair& leaf, const ResponseSpec& spec) {
    X509* issuer = certificate_of(ca.chain);
    X509* subject = certificate_of(leaf.chain);
    EVP_PKEY* key = key_of(ca.key);
    OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), subject, issuer);
    ASN1_TIME* from = X509_gmtime_adj(nullptr, spec.from);
    ASN1_TIME* until = X509_gmtime_adj(nullptr, spec.until);
    ASN1_TIME* revoked = X509_gmtime_adj(nullptr, -600);
    OCSP_basic_add1_status(basic, id, spec.status, OCSP_REVOKED_STATUS_KEYCOMPROMISE, spec.status == V_OCSP_CERTSTATUS_REVOKED ? revoked : nullptr, from,
                           spec.ends ? until : nullptr);
    OCSP_basic_sign(basic, issuer, key, EVP_sha256(), nullptr, 0);
    OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    std::vector<std::uint8_t> der(static_cast<std::size_t>(i2d_OCSP_RESPONSE(response, nullptr)));
    unsigned char* at = der.data();
    i2d_OCSP_RESPONSE(response, &at);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    EVP_PKEY_free(key);
    X509_free(subject);
    X509_free(issuer);
    return der;
}

struct Stapled {
    std::vector<std::uint8_t> der;
    std::vector<std::string> notes;
};

// What a client that asks, or not, is given by a listener with this response.
Stapled served(const Pair& leaf, std::span<const std::uint8_t> der, bool ask = true, int version = TLS1_3_VERSION) {
    const auto set = CertificateSet::build({{leaf.chain, leaf.key, {"one"}, "Secret default/one", der}}, {});
    REQUIRE(set.ok());
    Client client("one", version);
    if (ask) {
        SSL_set_tlsext_status_type(client.ssl(), TLSEXT_STATUSTYPE_ocsp);
    }
    Session session((*set)->choose({}));
    REQUIRE(run_handshake(client, session));
    const unsigned char* given = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(client.ssl(), &given);
    return {size > 0 ? std::vector<std::uint8_t>(given, given + size) : std::vector<std::uint8_t>(), (*set)->notes()};
}

}  // namespace

TEST_CASE("staple: a response that holds is given to those who ask") {
    const Pair ca = issue({.name = "ca", .ca = true});
    const Pair leaf = issue({.name = "one", .issuer = &ca});
    const Pair other = issue({.name = "other", .issuer = &ca});
    const auto good = make_response(ca, leaf, {});
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CHECK(served(leaf, good, true, version).der == good);
        CHECK(served(leaf, good, false, version).der.empty());
    }
    CHECK(served(leaf, good).notes.empty());
    CHECK(served(leaf, {}).notes.empty());

    // Outside of its time it is kept back, without a note: a newer one is on its way, or the clock is wrong.
    CHECK(served(leaf, make_response(ca, leaf, {.from = -7200, .until = -60})).der.empty());
    CHECK(served(leaf, make_response(ca, leaf, {.from = 3600, .until = 7200})).der.empty());

    // What must never be stapled is named, and the certificate is served without.
    auto cut = good;
    cut.pop_back();
    for (const auto& bad : {make_response(ca, other, {}), make_response(ca, leaf, {.status = V_OCSP_CERTSTATUS_REVOKED}), make_response(ca, leaf, {.ends = false}), cut,
                            std::vector<std::uint8_t>{1, 2, 3}}) {
        const Stapled got = served(leaf, bad);
        CHECK(got.der.empty());
        REQUIRE(got.notes.size() == 1);
        CHECK(got.notes.front().find("Secret default/one") != std::string::npos);
    }
}
