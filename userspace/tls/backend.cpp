// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/backend.hpp"

#include <openssl/x509v3.h>
#include <strings.h>

#include "userspace/tls/openssl.hpp"
#include "userspace/tls/handshake.hpp"

namespace penstock::tls {

namespace {

std::string_view text_of(const ASN1_STRING* value) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), static_cast<std::size_t>(ASN1_STRING_length(value))};
}

bool equal_names(std::string_view a, std::string_view b) { return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0; }

// The certificate has just this name: no wildcard of its own counts.
bool has_name(const X509* leaf, int type, const std::string& wanted) {
    auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr));
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        found = name->type == type && (type == GEN_URI ? text_of(name->d.uniformResourceIdentifier) == wanted : equal_names(text_of(name->d.dNSName), wanted));
    }
    GENERAL_NAMES_free(names);
    return found;
}

bool is_of_host(X509* leaf, const std::string& name) {
    if (name.starts_with("*.")) {
        return has_name(leaf, GEN_DNS, name);
    }
    if (IpAddress::parse(name)) {
        return X509_check_ip_asc(leaf, name.c_str(), 0) == 1;
    }
    return X509_check_host(leaf, name.data(), name.size(), X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

Status configure(SSL_CTX* context, const BackendOptions& options) {
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, Handshake::on_session);
    SSL_CTX_set_keylog_callback(context, Handshake::on_secret);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    PST_TRY(set_suites(context, options.suites, options.object));
    PST_TRY_ASSIGN(const Trust trust, options.ca_pem.empty() ? Trust::of_system(options.object) : Trust::of_bundle(options.ca_pem, options.object));
    trust.attach(context);
    PST_TRY_ASSIGN(const std::string protocols, alpn_wire(options.alpn, options.object));
    if (!protocols.empty()) {
        SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(protocols.data()), static_cast<unsigned>(protocols.size()));
    }
    if (!options.chain_pem.empty() || !options.key_pem.empty()) {
        PST_TRY(load_pair(context, options.chain_pem, options.key_pem, options.object));
    }
    return success();
}

}  // namespace

Result<std::shared_ptr<const BackendContext>> BackendContext::build(const BackendOptions& options) {
    if (options.dns_names.empty() && options.uris.empty()) {
        return refused(options.object, "it names nothing that a backend's certificate is verified by");
    }
    auto made = std::make_shared<BackendContext>();
    made->context_ = SSL_CTX_new(TLS_client_method());
    if (made->context_ == nullptr) {
        return refused(options.object, "OpenSSL has no context for it");
    }
    PST_TRY(configure(made->context_, options));
    SSL_CTX_set_cert_verify_callback(made->context_, on_verify, made.get());
    made->server_name_ = IpAddress::parse(options.server_name) ? std::string() : options.server_name;
    made->dns_names_ = options.dns_names;
    made->uris_ = options.uris;
    return std::shared_ptr<const BackendContext>(std::move(made));
}

BackendContext::~BackendContext() {
    for (const auto& [endpoint, session] : sessions_) {
        SSL_SESSION_free(session);
    }
    SSL_CTX_free(context_);
}

bool BackendContext::names_fit(X509* leaf) const {
    for (const std::string& name : dns_names_) {
        if (is_of_host(leaf, name)) {
            return true;
        }
    }
    for (const std::string& uri : uris_) {
        if (has_name(leaf, GEN_URI, uri)) {
            return true;
        }
    }
    return false;
}

int BackendContext::on_verify(X509_STORE_CTX* verification, void* self) {
    if (X509_verify_cert(verification) != 1) {
        return 0;
    }
    if (static_cast<const BackendContext*>(self)->names_fit(X509_STORE_CTX_get0_cert(verification))) {
        return 1;
    }
    X509_STORE_CTX_set_error(verification, X509_V_ERR_HOSTNAME_MISMATCH);
    return 0;
}

ssl_st* BackendContext::open(const Endpoint& to) const {
    SSL* ssl = SSL_new(context_);
    if (ssl == nullptr) {
        return nullptr;
    }
    SSL_set_connect_state(ssl);
    if (!server_name_.empty()) {
        SSL_set_tlsext_host_name(ssl, server_name_.c_str());
    }
    const std::lock_guard lock(mutex_);
    if (const auto found = sessions_.find(to); found != sessions_.end()) {
        // A copy: OpenSSL writes into a session that it resumes, and another thread may do so with the same one.
        SSL_SESSION* copy = SSL_SESSION_dup(found->second);
        SSL_set_session(ssl, copy);
        SSL_SESSION_free(copy);
    }
    return ssl;
}

void BackendContext::keep(const Endpoint& to, SSL_SESSION* session) const {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(to);
    if (found != sessions_.end()) {
        SSL_SESSION_free(found->second);
        sessions_.erase(found);
    }
    if (session == nullptr) {
        return;
    }
    if (sessions_.size() >= kSessionsMax) {
        SSL_SESSION_free(sessions_.begin()->second);
        sessions_.erase(sessions_.begin());
    }
    sessions_.emplace(to, session);
}

}  // namespace penstock::tls
