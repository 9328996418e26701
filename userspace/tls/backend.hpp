// SPDX-License-Identifier: Apache-2.0
// How TLS to the backends of one Service is spoken: whom we say we want, by what we believe them, who we say we are. A backend is always
// verified; there is no way to leave that out. Sessions are resumed per endpoint: a reconnect costs no certificate and no signature.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "userspace/base/ip.hpp"
#include "userspace/base/result.hpp"
#include "userspace/tls/options.hpp"
#include "userspace/tls/trust.hpp"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct x509_st;
struct x509_store_ctx_st;

namespace penstock::tls {

struct BackendOptions {
    std::string server_name;              // sent as SNI, unless it is an address
    // What the certificate must be of: any one of these names is enough. DNS names as RFC 9525 has it (a subject's common name is
    // none; "*.x" here asks for just that wildcard), URIs byte by byte. At least one of the two lists.
    std::vector<std::string> dns_names = {};
    std::vector<std::string> uris = {};
    std::string_view ca_pem = {};         // empty: the system's CAs
    std::string_view chain_pem = {};      // our own certificate, if backends ask; leaf first
    std::string_view key_pem = {};
    std::vector<std::string> alpn = {};   // in order of preference
    SuiteOptions suites = {};
    std::string object = "the backend";   // "BackendTLSPolicy default/shop", for errors
};

class BackendContext {
public:
    static Result<std::shared_ptr<const BackendContext>> build(const BackendOptions& options);
    BackendContext() = default;
    BackendContext(const BackendContext&) = delete;
    ~BackendContext();

    // ---- for Session; any thread ---------------------------------------------------------------------------------------------
    // A connection to `to`, ready for its handshake, with that endpoint's last session if there is one.
    [[nodiscard]] ssl_st* open(const Endpoint& to) const;
    // A session of `to` that may be resumed, taken over; null: forget the one that is kept.
    void keep(const Endpoint& to, ssl_session_st* session) const;
    [[nodiscard]] ssl_ctx_st* context() const { return context_; }

private:
    static constexpr std::size_t kSessionsMax = 4096;
    static int on_verify(x509_store_ctx_st* verification, void* self);
    [[nodiscard]] bool names_fit(x509_st* leaf) const;

    ssl_ctx_st* context_ = nullptr;
    std::string server_name_;  // empty: none is sent
    std::vector<std::string> dns_names_, uris_;
    mutable std::mutex mutex_;
    mutable std::unordered_map<Endpoint, ssl_session_st*> sessions_;
};

}  // namespace penstock::tls
