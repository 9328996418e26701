// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/peer.hpp"

#include <openssl/x509v3.h>

#include <algorithm>

#include "userspace/base/ip.hpp"
#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

std::string hexadecimal(const unsigned char* bytes, std::size_t size) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    text.reserve(2 * size);
    for (std::size_t i = 0; i < size; ++i) {
        text += kDigits[bytes[i] >> 4];
        text += kDigits[bytes[i] & 15];
    }
    return text;
}

std::string bounded(std::string text) {
    text.resize(std::min(text.size(), PeerCertificate::kTextMax));
    for (char& letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        letter = byte < 0x20 || byte == 0x7f ? '?' : letter;
    }
    return text;
}

std::string text_of(const X509_NAME* name) {
    const BioPtr bio(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
    const char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return bounded(std::string(data, static_cast<std::size_t>(std::max(size, 0L))));
}

std::string text_of(const char* kind, const ASN1_STRING* value) {
    return bounded(std::string(kind) + std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), static_cast<std::size_t>(ASN1_STRING_length(value))));
}

std::string address_of(const ASN1_OCTET_STRING* value) {
    const auto* bytes = ASN1_STRING_get0_data(value);
    IpAddress address;
    if (ASN1_STRING_length(value) == 4) {
        address = IpAddress::v4(static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 | static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3]);
    } else if (ASN1_STRING_length(value) == 16) {
        std::copy_n(bytes, 16, address.bytes.begin());
        address.family = Family::v6;
    } else {
        return "IP:?";
    }
    return "IP:" + address.text();
}

std::vector<std::string> names_of(const X509* certificate) {
    std::vector<std::string> names;
    auto* list = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    for (int i = 0; i < sk_GENERAL_NAME_num(list) && names.size() < PeerCertificate::kNamesMax; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list, i);
        switch (name->type) {
            case GEN_DNS: names.push_back(text_of("DNS:", name->d.dNSName)); break;
            case GEN_URI: names.push_back(text_of("URI:", name->d.uniformResourceIdentifier)); break;
            case GEN_EMAIL: names.push_back(text_of("email:", name->d.rfc822Name)); break;
            case GEN_IPADD: names.push_back(address_of(name->d.iPAddress)); break;
            default: break;
        }
    }
    GENERAL_NAMES_free(list);
    return names;
}

}  // namespace

std::unique_ptr<const PeerCertificate> PeerCertificate::of(const X509* certificate, bool verified) {
    auto peer = std::make_unique<PeerCertificate>();
    peer->subject = text_of(X509_get_subject_name(certificate));
    peer->issuer = text_of(X509_get_issuer_name(certificate));
    const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
    peer->serial = hexadecimal(ASN1_STRING_get0_data(serial), std::min<std::size_t>(static_cast<std::size_t>(ASN1_STRING_length(serial)), kTextMax / 2));
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &size) == 1) {
        peer->fingerprint = hexadecimal(digest, size);
    }
    peer->names = names_of(certificate);
    std::tm parts = {};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts) == 1) {
        peer->not_after = timegm(&parts);
    }
    peer->verified = verified;
    ERR_clear_error();
    return peer;
}

}  // namespace penstock::tls
