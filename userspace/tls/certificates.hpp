// SPDX-License-Identifier: Apache-2.0
// The certificates of one listener as OpenSSL contexts, and which of them a hello gets: exact name, longest wildcard (one label, RFC
// 6125), else the first; of equals, ECDSA where the client can. Errors name the object, never a byte of a key.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/tls/client_hello.hpp"

struct ssl_st;
struct ssl_ctx_st;

namespace penstock::tls {

struct CertificateInput {
    std::string_view chain_pem;       // leaf first
    std::string_view key_pem;
    std::vector<std::string> names;   // lower case, "*.x" for wildcards
    std::string object;               // "Secret default/shop", for errors
};

struct CertificateOptions {
    std::vector<std::string> alpn;      // ours, in order of preference; empty: none is negotiated
    std::uint16_t version_min = 0x0303; // TLS 1.2
};

class CertificateSet {
public:
    static Result<std::shared_ptr<const CertificateSet>> build(const std::vector<CertificateInput>& inputs, const CertificateOptions& options);
    CertificateSet() = default;
    CertificateSet(const CertificateSet&) = delete;
    ~CertificateSet();

    // Never null: a set has at least one certificate. Owned by the set; used by any thread.
    [[nodiscard]] ssl_ctx_st* choose(const ClientHello& hello) const;

private:
    struct Entry {
        ssl_ctx_st* context = nullptr;
        std::vector<std::string> names;
        bool ecdsa = false;
    };
    // 0: does not fit; wildcards by their length, an exact name above all of them.
    static std::size_t fit(const Entry& entry, const std::string& name);

    std::vector<Entry> entries_;
    std::string alpn_wire_;  // as OpenSSL wants it
    static int select_alpn(ssl_st*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void* self);
};

}  // namespace penstock::tls
