// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/certificates.hpp"

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <limits>

#include "userspace/base/assert.hpp"
#include "userspace/tls/handshake.hpp"
#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

namespace {

// Resumed only where the same was asked of the client: otherwise a ticket of one listener would be the way round another's check.
std::array<unsigned char, 32> session_scope(const CertificateOptions& options) {
    std::string asked = "penstock " + std::to_string(static_cast<int>(options.clients)) + " " + options.scope + "\n";
    asked += options.client_ca_pem;
    std::array<unsigned char, 32> digest = {};
    PST_ASSERT(EVP_Digest(asked.data(), asked.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
    return digest;
}

std::shared_ptr<const TicketKeys> keys_of_this_process() {
    static const auto keys = std::make_shared<const TicketKeys>();
    return keys;
}

// insecure_fallback: goes on whatever the verification says; its result stays with the session.
int accept_any(int, X509_STORE_CTX*) { return 1; }

// A ticket is worth no more than the certificate that it stands for.
SSL_TICKET_RETURN on_opened(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status, void*) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    const X509* peer = SSL_SESSION_get0_peer(session);
    if (peer == nullptr || X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void ask_clients(SSL_CTX* context, ClientPolicy policy, const Trust* trust) {
    if (policy == ClientPolicy::none) {
        return;
    }
    if (trust != nullptr) {
        trust->attach(context);
        trust->announce(context);
    }
    if (policy == ClientPolicy::valid_only) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        SSL_CTX_set_session_ticket_cb(context, nullptr, on_opened, nullptr);
    } else {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, accept_any);
    }
}

Result<ContextPtr> make_context(const std::string& object) {
    ContextPtr context(SSL_CTX_new(TLS_server_method()));
    if (context == nullptr) {
        return refused(object, "OpenSSL has no context for it");
    }
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_NO_COMPRESSION |
                                           SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // Stateless resumption by tickets only; a server-side cache would be one more lock.
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 1);
    SSL_CTX_set_keylog_callback(context.get(), Handshake::on_secret);
    return context;
}

// RFC 9113 9.2.2: HTTP/2 needs an ephemeral exchange and an AEAD.
bool fit_for_h2(const SSL* ssl) {
    const SSL_CIPHER* cipher = SSL_get_pending_cipher(ssl);
    const int exchange = cipher != nullptr ? SSL_CIPHER_get_kx_nid(cipher) : NID_undef;
    return SSL_CIPHER_is_aead(cipher) == 1 && (exchange == NID_kx_ecdhe || exchange == NID_kx_dhe || exchange == NID_kx_any);
}

}  // namespace

int CertificateSet::select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void* self) {
    const std::string_view theirs(reinterpret_cast<const char*>(in), in_size);
    for (std::string_view rest = static_cast<const CertificateSet*>(self)->alpn_wire_; !rest.empty(); rest.remove_prefix(1 + static_cast<unsigned char>(rest[0]))) {
        const std::string_view ours = rest.substr(1, static_cast<unsigned char>(rest[0]));
        if (ours == "h2" && !fit_for_h2(ssl)) {
            continue;
        }
        for (std::size_t at = 0; at < theirs.size(); at += 1 + in[at]) {
            if (theirs.substr(at + 1, in[at]) == ours) {
                *out = in + at + 1;
                *out_size = in[at];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 3.2; a client that offers nothing does not come here
}

CertificateSet::~CertificateSet() {
    for (const Entry& entry : entries_) {
        SSL_CTX_free(entry.context);
    }
}

Status CertificateSet::add(const CertificateInput& input, const CertificateOptions& options, const Trust* clients) {
    PST_TRY_ASSIGN(ContextPtr context, make_context(input.object));
    PST_TRY(load_pair(context.get(), input.chain_pem, input.key_pem, input.object));
    PST_TRY(set_suites(context.get(), options.suites, options.object));
    ask_clients(context.get(), options.clients, clients);
    const auto scope = session_scope(options);
    SSL_CTX_set_session_id_context(context.get(), scope.data(), scope.size());
    SSL_CTX_set_timeout(context.get(), options.ticket_seconds);
    tickets_->attach(context.get());
    if (!alpn_wire_.empty()) {
        SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, this);
    }
    Entry entry;
    if (!input.ocsp_der.empty()) {
        // Serving without it is better than not serving.
        auto staple = Staple::parse(input.ocsp_der, SSL_CTX_get0_certificate(context.get()), input.object);
        if (staple.ok()) {
            entry.staple = std::make_unique<const Staple>(std::move(*staple));
            entry.staple->attach(context.get());
        } else {
            notes_.push_back(staple.error().message());
        }
    }
    const int kind = EVP_PKEY_get_base_id(SSL_CTX_get0_privatekey(context.get()));
    entry.key = kind == EVP_PKEY_EC ? Key::ecdsa : kind == EVP_PKEY_ED25519 ? Key::ed25519 : Key::rsa;
    entry.names = input.names;
    entry.context = context.release();
    entries_.push_back(std::move(entry));
    return success();
}

Result<std::shared_ptr<const CertificateSet>> CertificateSet::build(const std::vector<CertificateInput>& inputs, const CertificateOptions& options) {
    auto set = std::make_shared<CertificateSet>();
    PST_TRY_ASSIGN(set->alpn_wire_, alpn_wire(options.alpn, options.object));
    set->suites_ = options.suites;
    set->tickets_ = options.tickets != nullptr ? options.tickets : keys_of_this_process();
    std::optional<Trust> clients;
    if (options.clients != ClientPolicy::none && (options.clients == ClientPolicy::valid_only || !options.client_ca_pem.empty())) {
        PST_TRY_ASSIGN(clients, Trust::of_bundle(options.client_ca_pem, options.object));
    }
    for (const CertificateInput& input : inputs) {
        PST_TRY(set->add(input, options, clients ? &*clients : nullptr));
    }
    if (set->entries_.empty()) {
        return Error{.code = Errc::invalid, .what = "a set without certificates"};
    }
    return std::shared_ptr<const CertificateSet>(std::move(set));
}

std::size_t CertificateSet::fit(const Entry& entry, const std::string& name) {
    std::size_t best = 0;
    const std::size_t dot = name.find('.');
    for (const std::string& pattern : entry.names) {
        if (pattern == name) {
            return std::numeric_limits<std::size_t>::max();
        }
        if (pattern.starts_with("*.") && dot != std::string::npos && name.compare(dot, std::string::npos, pattern, 1, std::string::npos) == 0) {
            best = std::max(best, pattern.size());
        }
    }
    return best;
}

bool CertificateSet::usable(const Entry& entry, const ClientHello& hello) {
    switch (entry.key) {
        case Key::ecdsa: return hello.ecdsa;
        case Key::ed25519: return hello.ed25519;
        case Key::rsa: return hello.rsa || (!hello.ecdsa && !hello.ed25519);
    }
    return false;
}

ssl_ctx_st* CertificateSet::choose(const ClientHello& hello) const {
    const Entry* chosen = nullptr;
    std::size_t best = 0;
    for (const Entry& entry : entries_) {
        const std::size_t fits = hello.server_name.empty() ? 0 : fit(entry, hello.server_name);
        const bool better_key = chosen != nullptr && usable(entry, hello) && (!usable(*chosen, hello) || entry.key < chosen->key);
        if (chosen == nullptr || fits > best || (fits == best && better_key)) {
            chosen = &entry;
            best = fits;
        }
    }
    return chosen->context;
}

Fault CertificateSet::refusal(const ClientHello& hello) const {
    return hello.version_max < suites_.version_min ? Fault::version : Fault::none;
}

}  // namespace penstock::tls
