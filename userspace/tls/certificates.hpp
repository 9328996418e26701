// SPDX-License-Identifier: Apache-2.0
// The certificates of one listener as OpenSSL contexts, and which of them a hello gets: exact name, longest wildcard (one label, RFC
// 6125), else the first; of equals, ECDSA where the client can. Errors name the object, never a byte of a key.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/tls/client_hello.hpp"
#include "userspace/tls/fault.hpp"
#include "userspace/tls/options.hpp"
#include "userspace/tls/staple.hpp"
#include "userspace/tls/tickets.hpp"
#include "userspace/tls/trust.hpp"

struct ssl_st;

namespace penstock::tls {

struct CertificateInput {
    std::string_view chain_pem;       // leaf first
    std::string_view key_pem;
    std::vector<std::string> names;   // lower case, "*.x" for wildcards
    std::string object;               // "Secret default/shop", for errors
    std::span<const std::uint8_t> ocsp_der = {};  // a response about the leaf, stapled while it holds
};

// What is asked of clients (Gateway API, GEP-91).
enum class ClientPolicy : std::uint8_t {
    none,              // no certificate
    valid_only,        // one that the bundle verifies; else the handshake fails
    insecure_fallback  // asked for; none, or any, is accepted, and PeerCertificate::verified tells
};

struct CertificateOptions {
    std::vector<std::string> alpn;  // ours, in order of preference; empty: none is negotiated
    SuiteOptions suites = {};
    ClientPolicy clients = ClientPolicy::none;
    std::string_view client_ca_pem = {};
    // Tickets resume on every listener with the same keys, client policy, CA bundle and scope. No keys: only in this process.
    std::shared_ptr<const TicketKeys> tickets = {};
    std::uint32_t ticket_seconds = 7200;
    std::string scope = {};
    std::string object = "the listener";  // for errors
};

class CertificateSet {
public:
    static Result<std::shared_ptr<const CertificateSet>> build(const std::vector<CertificateInput>& inputs, const CertificateOptions& options);
    CertificateSet() = default;
    CertificateSet(const CertificateSet&) = delete;
    ~CertificateSet();

    // Never null: a set has at least one certificate. Owned by the set; used by any thread.
    [[nodiscard]] ssl_ctx_st* choose(const ClientHello& hello) const;
    // Why no handshake needs to be tried with this hello, which costs an attacker next to nothing; none: try it.
    [[nodiscard]] Fault refusal(const ClientHello& hello) const;
    // What could not be used although the set can: sentences that name the object.
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

private:
    enum class Key : std::uint8_t { ecdsa, ed25519, rsa };  // in order of preference
    struct Entry {
        ssl_ctx_st* context = nullptr;
        std::vector<std::string> names;
        Key key = Key::rsa;
        std::unique_ptr<const Staple> staple;
    };
    // 0: does not fit; wildcards by their length, an exact name above all of them.
    static std::size_t fit(const Entry& entry, const std::string& name);
    static bool usable(const Entry& entry, const ClientHello& hello);
    static int select_alpn(ssl_st*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void* self);
    Status add(const CertificateInput& input, const CertificateOptions& options, const Trust* clients);

    std::vector<Entry> entries_;
    std::vector<std::string> notes_;
    std::string alpn_wire_;  // as OpenSSL wants it
    SuiteOptions suites_;
    std::shared_ptr<const TicketKeys> tickets_;
};

}  // namespace penstock::tls
