// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <limits>
#include <memory>
#include <set>

#include "userspace/base/ascii.hpp"

namespace penstock::check {
namespace {

constexpr std::size_t kPemBytesMax = 1U << 20;
constexpr std::size_t kChainMax = 32;
constexpr std::size_t kAuthoritiesMax = 512;  // a bundle of all public ones has about 150
constexpr std::size_t kStapleBytesMax = 64 * 1024;

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Cert = std::unique_ptr<X509, Deleter<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

Error invalid(std::string what) {
    ERR_clear_error();  // the queue is per thread: leave nothing behind for others
    return Error{.code = Errc::invalid, .what = std::move(what)};
}

Bio reader(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

int no_passphrase(char*, int, int, void*) { return 0; }

Result<std::vector<Cert>> read_certificates(std::string_view pem, std::size_t most) {
    std::vector<Cert> chain;
    const Bio bio = reader(pem);
    while (chain.size() <= most) {
        Cert cert(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
        if (!cert) {
            break;
        }
        chain.push_back(std::move(cert));
    }
    // The end of the text shows as "no start line"; anything else is a damaged block.
    const unsigned long error = ERR_peek_last_error();
    if (error != 0 && ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
        return invalid("the certificate is not valid PEM: block " + std::to_string(chain.size() + 1) + " cannot be read");
    }
    ERR_clear_error();
    if (chain.empty()) {
        return invalid("the certificate holds no PEM block of type CERTIFICATE");
    }
    if (chain.size() > most) {
        return invalid("there are more than " + std::to_string(most) + " certificates");
    }
    return chain;
}

bool is_text(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
}

void add_alternative_names(X509* leaf, std::set<std::string>& names) {
    using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
    const Names list(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; list && i < sk_GENERAL_NAME_num(list.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
        if (name->type != GEN_DNS) {
            continue;
        }
        const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                                    static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
        if (is_text(text)) {
            names.insert(lower(text));
        }
    }
}

void add_common_name(X509* leaf, std::set<std::string>& names) {
    X509_NAME* subject = X509_get_subject_name(leaf);
    const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0) {
        return;
    }
    const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                static_cast<std::size_t>(ASN1_STRING_length(value)));
    if (is_text(text)) {
        names.insert(lower(text));
    }
}

std::vector<std::string> names_of(X509* leaf) {
    std::set<std::string> names;
    add_alternative_names(leaf, names);
    if (names.empty()) {
        add_common_name(leaf, names);
    }
    ERR_clear_error();
    return {names.begin(), names.end()};
}

Result<std::string> encode(const std::vector<Cert>& chain) {
    const Bio bio(BIO_new(BIO_s_mem()));
    for (const Cert& cert : chain) {
        if (PEM_write_bio_X509(bio.get(), cert.get()) != 1) {
            return invalid("the certificate cannot be encoded again");
        }
    }
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
}

// A time that cannot be read counts as long ago.
std::int64_t unix_time(const ASN1_TIME* time) {
    std::tm parts = {};
    return ASN1_TIME_to_tm(time, &parts) == 1 ? static_cast<std::int64_t>(::timegm(&parts)) : 0;
}

}  // namespace

Result<Certificate> check_certificate(std::string_view chain_pem, std::string_view key_pem) {
    if (chain_pem.size() > kPemBytesMax || key_pem.size() > kPemBytesMax) {
        return invalid("the certificate or key is larger than 1 MiB");
    }
    ERR_clear_error();
    PST_TRY_ASSIGN(const std::vector<Cert> chain, read_certificates(chain_pem, kChainMax));
    const Bio bio = reader(key_pem);
    const Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        return invalid("the private key is not valid PEM, or is encrypted");
    }
    if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
        return invalid("the private key does not belong to the certificate");
    }
    PST_TRY_ASSIGN(std::string pem, encode(chain));
    const char* type = EVP_PKEY_get0_type_name(key.get());
    return Certificate{std::move(pem), names_of(chain.front().get()), type != nullptr ? type : ""};
}

Result<Validity> validity_of(std::string_view chain_pem) {
    if (chain_pem.size() > kPemBytesMax) {
        return invalid("the certificate is larger than 1 MiB");
    }
    ERR_clear_error();
    PST_TRY_ASSIGN(const std::vector<Cert> chain, read_certificates(chain_pem, kAuthoritiesMax));
    Validity out{.from_s = unix_time(X509_get0_notBefore(chain.front().get())), .until_s = std::numeric_limits<std::int64_t>::max(), .names = names_of(chain.front().get())};
    for (const Cert& cert : chain) {
        out.until_s = std::min(out.until_s, unix_time(X509_get0_notAfter(cert.get())));
    }
    return out;
}

Result<std::string> check_authorities(std::string_view pem) {
    if (pem.size() > kPemBytesMax) {
        return invalid("the bundle is larger than 1 MiB");
    }
    ERR_clear_error();
    PST_TRY_ASSIGN(const std::vector<Cert> authorities, read_certificates(pem, kAuthoritiesMax));
    return encode(authorities);
}

Status check_staple(std::string_view chain_pem, std::string_view der) {
    using Response = std::unique_ptr<OCSP_RESPONSE, Deleter<OCSP_RESPONSE_free>>;
    using Basic = std::unique_ptr<OCSP_BASICRESP, Deleter<OCSP_BASICRESP_free>>;
    ERR_clear_error();
    PST_TRY_ASSIGN(const std::vector<Cert> chain, read_certificates(chain_pem, kChainMax));
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const Response response(der.size() > kStapleBytesMax ? nullptr : d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
    if (!response || at != reinterpret_cast<const unsigned char*>(der.data()) + der.size()) {
        return invalid("it is no OCSP response in DER");
    }
    const Basic basic(OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL ? OCSP_response_get1_basic(response.get()) : nullptr);
    for (int i = 0; basic && i < OCSP_resp_count(basic.get()); ++i) {
        ASN1_INTEGER* serial = nullptr;
        const OCSP_SINGLERESP* single = OCSP_resp_get0(basic.get(), i);
        OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial, const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single)));
        if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(chain.front().get())) == 0) {
            return success();
        }
    }
    return invalid("the OCSP response tells nothing of this certificate");
}

}  // namespace penstock::check
