// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/options.hpp"

#include <algorithm>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

// AES-128-GCM first: the cheapest, and what kTLS has had longest. A client that puts ChaCha20 first (no AES in its processor) gets that.
constexpr char kCiphers13[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr char kCiphers12[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kGroups[] = "X25519:P-256:P-384";
constexpr char kGroupsPostQuantum[] = "X25519MLKEM768:X25519:P-256:P-384";

struct Suite {
    std::string name;      // OpenSSL's
    std::string standard;  // IANA's; the same in TLS 1.3
    bool tls13 = false;
};

// Every suite of this OpenSSL that authenticates and encrypts.
const std::vector<Suite>& known_suites() {
    static const std::vector<Suite> suites = [] {
        std::vector<Suite> all;
        const ContextPtr context(SSL_CTX_new(TLS_method()));
        for (const char* name : {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256", "TLS_AES_128_CCM_8_SHA256"}) {
            if (SSL_CTX_set_ciphersuites(context.get(), name) == 1) {
                all.push_back({name, name, true});
            }
        }
        SSL_CTX_set_ciphersuites(context.get(), "");
        SSL_CTX_set_cipher_list(context.get(), "ALL:!aNULL:!eNULL:!PSK:!SRP");
        const STACK_OF(SSL_CIPHER)* list = SSL_CTX_get_ciphers(context.get());
        for (int i = 0; i < sk_SSL_CIPHER_num(list); ++i) {
            const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(list, i);
            const char* standard = SSL_CIPHER_standard_name(cipher);
            all.push_back({SSL_CIPHER_get_name(cipher), standard != nullptr ? standard : "", false});
        }
        ERR_clear_error();
        return all;
    }();
    return suites;
}

void append(std::string& list, const std::string& name) {
    if (!list.empty()) {
        list += ':';
    }
    list += name;
}

Error unknown(const std::string& object, const char* what, const std::string& name) {
    return refused(object, std::string(what) + " " + name + " is not known to " + OpenSSL_version(OPENSSL_VERSION_STRING));
}

Status set_ciphers(SSL_CTX* context, const std::vector<std::string>& names, const std::string& object) {
    std::string list12;
    std::string list13;
    for (const std::string& name : names) {
        const auto& suites = known_suites();
        const auto found = std::find_if(suites.begin(), suites.end(), [&](const Suite& suite) { return suite.name == name || suite.standard == name; });
        if (name.empty() || found == suites.end()) {
            return unknown(object, "cipher suite", name);
        }
        append(found->tls13 ? list13 : list12, found->name);
    }
    if (SSL_CTX_set_ciphersuites(context, list13.empty() ? kCiphers13 : list13.c_str()) != 1 ||
        SSL_CTX_set_cipher_list(context, list12.empty() ? kCiphers12 : list12.c_str()) != 1) {
        return refused(object, "OpenSSL refuses its cipher suites");
    }
    return success();
}

// OpenSSL gives ':', '/', '?', '*' and '-' meanings of their own in a list of groups.
bool plain_group(const std::string& name) {
    return !name.empty() && name.front() != '-' && std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_'; });
}

Status set_groups(SSL_CTX* context, const std::vector<std::string>& names, const std::string& object) {
    std::string list;
    for (const std::string& name : names) {
        if (!plain_group(name) || SSL_CTX_set1_groups_list(context, name.c_str()) != 1) {
            return unknown(object, "group", name);
        }
        append(list, name);
    }
    if (list.empty()) {
        const bool post_quantum = SSL_CTX_set1_groups_list(context, kGroupsPostQuantum) == 1;
        ERR_clear_error();
        list = post_quantum ? kGroupsPostQuantum : kGroups;
    }
    if (SSL_CTX_set1_groups_list(context, list.c_str()) != 1) {
        return refused(object, "OpenSSL refuses its groups");
    }
    return success();
}

}  // namespace

Status set_suites(ssl_ctx_st* context, const SuiteOptions& options, const std::string& object) {
    if (options.version_min < kTls12 || options.version_max > kTls13 || options.version_min > options.version_max) {
        return refused(object, "its TLS versions are none between 1.2 and 1.3");
    }
    if (SSL_CTX_set_min_proto_version(context, options.version_min) != 1 || SSL_CTX_set_max_proto_version(context, options.version_max) != 1) {
        return refused(object, "OpenSSL refuses its TLS versions");
    }
    PST_TRY(set_ciphers(context, options.ciphers, object));
    return set_groups(context, options.groups, object);
}

Result<std::string> alpn_wire(const std::vector<std::string>& protocols, const std::string& object) {
    std::string wire;
    for (const std::string& protocol : protocols) {
        if (protocol.empty() || protocol.size() > 255) {
            return refused(object, "a protocol's name has 0 or more than 255 bytes");
        }
        wire += static_cast<char>(protocol.size());
        wire += protocol;
    }
    return wire;
}

}  // namespace penstock::tls
