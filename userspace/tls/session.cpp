// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/session.hpp"


#include <algorithm>
#include <cstring>

#include "userspace/base/assert.hpp"
#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

int Session::read_bio(BIO* bio, char* out, int size) {
    auto& self = *static_cast<Session*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (self.input_.empty()) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const std::size_t count = std::min(self.input_.size(), static_cast<std::size_t>(size));
    std::memcpy(out, self.input_.data(), count);
    self.input_ = self.input_.subspan(count);
    return static_cast<int>(count);
}

int Session::write_bio(BIO* bio, const char* in, int size) {
    auto& self = *static_cast<Session*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    self.output_.insert(self.output_.end(), in, in + size);
    return size;
}

long Session::control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0; }

BIO_METHOD* Session::method() {
    static BIO_METHOD* const made = [] {
        BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "penstock");
        BIO_meth_set_read(fresh, read_bio);
        BIO_meth_set_write(fresh, write_bio);
        BIO_meth_set_ctrl(fresh, control_bio);
        return fresh;
    }();
    return made;
}

void Session::attach() {
    PST_ASSERT(ssl_ != nullptr);
    BIO* bio = BIO_new(method());
    PST_ASSERT(bio != nullptr);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_app_data(ssl_, this);
}

Session::Session(ssl_ctx_st* context) : ssl_(SSL_new(context)) {
    attach();
    SSL_set_accept_state(ssl_);
}

Session::Session(std::shared_ptr<const BackendContext> backend, const Endpoint& to) : ssl_(backend->open(to)), backend_(std::move(backend)), endpoint_(to) { attach(); }

Session::~Session() {
    if (state_ == SessionState::established || state_ == SessionState::closed) {
        SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else OpenSSL calls the session that we keep a broken one
    }
    SSL_free(ssl_);
}

int Session::on_session(SSL* ssl, SSL_SESSION* session) {
    const auto& self = *static_cast<const Session*>(SSL_get_app_data(ssl));
    self.backend_->keep(self.endpoint_, session);
    return 1;  // it is ours now
}

void Session::fail() {
    const bool shaking = state_ == SessionState::handshake;
    fault_ = take_fault(detail_);
    // The verification's own sentence says more than "certificate verify failed".
    if (const long verdict = SSL_get_verify_result(ssl_); shaking && fault_ == Fault::certificate && verdict != X509_V_OK) {
        detail_ = X509_verify_cert_error_string(verdict);
    }
    state_ = SessionState::failed;
    if (shaking && backend_ != nullptr) {
        backend_->keep(endpoint_, nullptr);  // it may be what failed
    }
}

void Session::note_peer() {
    const X509* certificate = SSL_get0_peer_certificate(ssl_);
    if (certificate != nullptr && backend_ == nullptr) {
        peer_ = PeerCertificate::of(certificate, SSL_get_verify_result(ssl_) == X509_V_OK);
    }
}

SessionState Session::feed(std::span<const std::uint8_t> ciphertext, std::vector<std::uint8_t>& plaintext) {
    if (state_ == SessionState::failed || state_ == SessionState::closed) {
        return state_;
    }
    input_ = ciphertext;
    ERR_clear_error();
    if (state_ == SessionState::handshake) {
        const int done = SSL_do_handshake(ssl_);
        if (done == 1) {
            state_ = SessionState::established;
            note_peer();
        } else if (SSL_get_error(ssl_, done) != SSL_ERROR_WANT_READ) {
            fail();
            return state_;
        }
    }
    while (state_ == SessionState::established) {
        // Records are at most 16 KiB; the input says how many of them can be whole.
        const std::size_t before = plaintext.size();
        plaintext.resize(before + std::clamp<std::size_t>(input_.size() + 512, 4096, 16384));
        const int count = SSL_read(ssl_, plaintext.data() + before, static_cast<int>(plaintext.size() - before));
        plaintext.resize(before + static_cast<std::size_t>(std::max(count, 0)));
        if (count > 0) {
            continue;
        }
        const int error = SSL_get_error(ssl_, count);
        if (error == SSL_ERROR_ZERO_RETURN) {
            state_ = SessionState::closed;
        } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            fail();
        } else {
            break;
        }
    }
    input_ = {};
    return state_;
}

bool Session::write(std::span<const std::uint8_t> plaintext) {
    while (!plaintext.empty()) {
        if (state_ == SessionState::failed || state_ == SessionState::handshake || close_said_) {
            return false;
        }
        ERR_clear_error();
        const int count = SSL_write(ssl_, plaintext.data(), static_cast<int>(std::min<std::size_t>(plaintext.size(), 1 << 20)));
        if (count <= 0) {
            fail();
            return false;
        }
        plaintext = plaintext.subspan(static_cast<std::size_t>(count));
    }
    return true;
}

void Session::close() {
    if (!close_said_ && (state_ == SessionState::established || state_ == SessionState::closed)) {
        close_said_ = true;
        ERR_clear_error();
        SSL_shutdown(ssl_);
    }
}

std::string_view Session::alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

bool Session::resumed() const { return SSL_session_reused(ssl_) == 1; }

}  // namespace penstock::tls
