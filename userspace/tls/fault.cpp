// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/fault.hpp"

#include <openssl/sslerr.h>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

Fault fault_of(int reason) {
    if (reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256) {
        return Fault::alert;
    }
    switch (reason) {
        case SSL_R_HTTP_REQUEST:
        case SSL_R_HTTPS_PROXY_REQUEST:
        case SSL_R_WRONG_VERSION_NUMBER: return Fault::not_tls;
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_VERSION_TOO_LOW:
        case SSL_R_VERSION_TOO_HIGH:
        case SSL_R_WRONG_SSL_VERSION:
        case SSL_R_NO_PROTOCOLS_AVAILABLE:
        case SSL_R_INAPPROPRIATE_FALLBACK: return Fault::version;
        case SSL_R_NO_SHARED_CIPHER:
        case SSL_R_NO_SUITABLE_KEY_SHARE:
        case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
        case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
        case SSL_R_NO_APPLICATION_PROTOCOL:
        case SSL_R_NO_CIPHERS_SPECIFIED: return Fault::suite;
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        case SSL_R_CERTIFICATE_VERIFY_FAILED: return Fault::certificate;
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_DATA_LENGTH_TOO_LONG:
        case SSL_R_ENCRYPTED_LENGTH_TOO_LONG:
        case SSL_R_RECORD_LENGTH_MISMATCH:
        case SSL_R_BAD_RECORD_TYPE:
        case SSL_R_TOO_MANY_WARN_ALERTS: return Fault::record;
        case SSL_R_EXCESSIVE_MESSAGE_SIZE:
        case SSL_R_LENGTH_MISMATCH:
        case SSL_R_LENGTH_TOO_SHORT:
        case SSL_R_BAD_EXTENSION:
        case SSL_R_UNEXPECTED_MESSAGE:
        case SSL_R_DIGEST_CHECK_FAILED:
        case SSL_R_BAD_SIGNATURE:
        case SSL_R_INVALID_CCS_MESSAGE: return Fault::malformed;
        default: return Fault::other;
    }
}

std::uint8_t description_of(Fault fault) {
    switch (fault) {
        case Fault::version: return SSL_AD_PROTOCOL_VERSION;
        case Fault::suite: return SSL_AD_HANDSHAKE_FAILURE;
        case Fault::malformed: return SSL_AD_DECODE_ERROR;
        case Fault::record: return SSL_AD_RECORD_OVERFLOW;
        case Fault::certificate: return SSL_AD_CERTIFICATE_REQUIRED;
        case Fault::name: return SSL_AD_UNRECOGNIZED_NAME;    // RFC 6066 3
        case Fault::no_name: return SSL_AD_MISSING_EXTENSION;  // RFC 8446 9.2
        default: return SSL_AD_INTERNAL_ERROR;
    }
}

}  // namespace

Fault take_fault(std::string& text) {
    const unsigned long error = ERR_peek_error();
    const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
    text = reason != nullptr ? reason : "closed in the middle of the handshake";
    const Fault fault = error != 0 && ERR_GET_LIB(error) == ERR_LIB_SSL ? fault_of(ERR_GET_REASON(error)) : Fault::other;
    ERR_clear_error();
    return fault;
}

std::array<std::uint8_t, 7> alert_of(Fault fault) { return {21, 3, 3, 0, 2, 2, description_of(fault)}; }

}  // namespace penstock::tls
