// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/staple.hpp"

#include <openssl/ocsp.h>

#include <algorithm>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

constexpr std::time_t kSkew = 300;  // of the responder's clock against ours

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, Freeing<&OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, Freeing<&OCSP_BASICRESP_free>>;

std::time_t seconds_of(const ASN1_GENERALIZEDTIME* time) {
    std::tm parts = {};
    return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

// The part of the response that is about this serial number.
OCSP_SINGLERESP* single_of(OCSP_BASICRESP* basic, const X509* leaf) {
    for (int i = 0; i < OCSP_resp_count(basic); ++i) {
        OCSP_SINGLERESP* single = OCSP_resp_get0(basic, i);
        ASN1_INTEGER* serial = nullptr;
        OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
        if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0) {
            return single;
        }
    }
    return nullptr;
}

}  // namespace

Result<Staple> Staple::parse(std::span<const std::uint8_t> der, const X509* leaf, const std::string& object) {
    const unsigned char* at = der.data();
    const ResponsePtr response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
    if (response == nullptr || at != der.data() + der.size() || OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        return refused(object, "its OCSP response is no successful one");
    }
    const BasicPtr basic(OCSP_response_get1_basic(response.get()));
    OCSP_SINGLERESP* single = basic != nullptr ? single_of(basic.get(), leaf) : nullptr;
    if (single == nullptr) {
        return refused(object, "its OCSP response is of another certificate");
    }
    ASN1_GENERALIZEDTIME* from = nullptr;
    ASN1_GENERALIZEDTIME* until = nullptr;
    if (OCSP_single_get0_status(single, nullptr, nullptr, &from, &until) != V_OCSP_CERTSTATUS_GOOD) {
        return refused(object, "its OCSP response does not call it good");
    }
    Staple staple;
    staple.from_ = seconds_of(from) - kSkew;
    staple.until_ = seconds_of(until);
    if (staple.until_ == 0) {
        return refused(object, "its OCSP response does not say until when it holds");
    }
    staple.der_.assign(der.begin(), der.end());
    return staple;
}

int Staple::on_status(SSL* ssl, void* self) {
    const auto& staple = *static_cast<const Staple*>(self);
    if (!staple.fresh(std::time(nullptr))) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(staple.der_.data(), staple.der_.size()));  // the session frees it
    if (copy == nullptr) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(staple.der_.size()));
    return SSL_TLSEXT_ERR_OK;
}

void Staple::attach(ssl_ctx_st* context) const {
    SSL_CTX_set_tlsext_status_cb(context, on_status);
    SSL_CTX_set_tlsext_status_arg(context, const_cast<Staple*>(this));
}

}  // namespace penstock::tls
