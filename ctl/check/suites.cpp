// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/suites.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cctype>
#include <memory>

namespace penstock::check {
namespace {

struct ContextFree {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Context = std::unique_ptr<SSL_CTX, ContextFree>;

struct Suite {
    std::string name;      // OpenSSL's
    std::string standard;  // IANA's
    bool tls13 = false;
};

const std::vector<Suite>& known_suites() {
    static const std::vector<Suite> suites = [] {
        std::vector<Suite> all;
        const Context context(SSL_CTX_new(TLS_method()));
        SSL_CTX_set_ciphersuites(context.get(),
                                 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_CCM_SHA256");
        SSL_CTX_set_cipher_list(context.get(), "ALL:!aNULL:!eNULL:!PSK:!SRP");
        const STACK_OF(SSL_CIPHER)* list = SSL_CTX_get_ciphers(context.get());
        for (int i = 0; i < sk_SSL_CIPHER_num(list); ++i) {
            const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(list, i);
            const char* standard = SSL_CIPHER_standard_name(cipher);
            const bool tls13 = std::string_view(SSL_CIPHER_get_version(cipher)) == "TLSv1.3";
            if (SSL_CIPHER_is_aead(cipher) == 1) {
                all.push_back({SSL_CIPHER_get_name(cipher), standard != nullptr ? standard : "", tls13});
            }
        }
        ERR_clear_error();
        return all;
    }();
    return suites;
}

Error unknown(const char* what, const std::string& name) {
    ERR_clear_error();
    return Error{.code = Errc::invalid, .what = std::string(what) + " " + name + " is not known to the OpenSSL of this machine"};
}

}  // namespace

Result<Suites> check_suites(const std::vector<std::string>& names) {
    Suites out;
    for (const std::string& name : names) {
        const auto& suites = known_suites();
        const auto found = std::find_if(suites.begin(), suites.end(), [&](const Suite& suite) { return suite.name == name || suite.standard == name; });
        if (name.empty() || found == suites.end()) {
            return unknown("cipher suite", name);
        }
        std::string& list = found->tls13 ? out.tls13 : out.tls12;
        list += (list.empty() ? "" : ":") + found->name;
    }
    return out;
}

Status check_group(const std::string& name) {
    // OpenSSL gives other characters meanings of their own in a list.
    const bool plain = !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_';
    });
    const Context context(SSL_CTX_new(TLS_method()));
    if (!plain || SSL_CTX_set1_groups_list(context.get(), name.c_str()) != 1) {
        return unknown("group", name);
    }
    return success();
}

}  // namespace penstock::check
