// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/handshake.hpp"

#include <cstring>

#include "userspace/tls/openssl.hpp"

namespace penstock::tls {

// ---- OpenSSL's view of our buffers --------------------------------------------------------------------------------------------
int Handshake::read_bio(BIO* bio, char* out, int size) {
    auto& self = *static_cast<Handshake*>(BIO_get_data(bio));
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

int Handshake::write_bio(BIO* bio, const char* in, int size) {
    auto& self = *static_cast<Handshake*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    append(self.output_, {reinterpret_cast<const std::uint8_t*>(in), static_cast<std::size_t>(size)});
    return size;
}

long Handshake::control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0; }

BIO_METHOD* Handshake::method() {
    static BIO_METHOD* const made = [] {
        BIO_METHOD* fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "penstock");
        BIO_meth_set_read(fresh, read_bio);
        BIO_meth_set_write(fresh, write_bio);
        BIO_meth_set_ctrl(fresh, control_bio);
        return fresh;
    }();
    return made;
}

void Handshake::attach() {
    PST_ASSERT(ssl_ != nullptr);
    BIO* bio = BIO_new(method());
    PST_ASSERT(bio != nullptr);
    BIO_set_data(bio, this);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_, bio, bio);
    SSL_set_app_data(ssl_, this);
}

Handshake::Handshake(ssl_ctx_st* context, Bytes& output) : ssl_(SSL_new(context)), output_(output) {
    attach();
    SSL_set_accept_state(ssl_);
}

Handshake::Handshake(std::shared_ptr<const BackendContext> backend, const Endpoint& to, Bytes& output)
    : ssl_(backend->open(to)), output_(output), backend_(std::move(backend)), endpoint_(to) {
    attach();
}

Handshake::~Handshake() {
    if (done_ && fault_ == Fault::none) {
        SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);  // else OpenSSL calls the session that we keep a broken one
    }
    SSL_free(ssl_);
}

// ---- the handshake --------------------------------------------------------------------------------------------------------------
void Handshake::fail(bool shaking) {
    fault_ = take_fault(detail_);
    // The verification's own sentence says more than "certificate verify failed".
    if (const long verdict = SSL_get_verify_result(ssl_); shaking && fault_ == Fault::certificate && verdict != X509_V_OK) {
        detail_ = X509_verify_cert_error_string(verdict);
    }
    if (shaking && backend_ != nullptr) {
        backend_->keep(endpoint_, nullptr);  // it may be what failed
    }
}

// A server's tickets of TLS 1.3 leave with the last step, under the key that data will have.
std::uint64_t Handshake::records_since(std::size_t offset) const {
    std::uint64_t count = 0;
    while (offset + kRecordHead <= output_.size()) {
        count += output_[offset] == application_data ? 1 : 0;
        offset += kRecordHead + (static_cast<std::size_t>(output_[offset + 3]) << 8 | output_[offset + 4]);
    }
    return count;
}

Handshake::Step Handshake::step(std::span<std::uint8_t>& input) {
    ERR_clear_error();
    const std::size_t before = output_.size();
    input_ = input;
    const int result = SSL_do_handshake(ssl_);
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, result);
    input = std::exchange(input_, {});
    if (result != 1 && error == SSL_ERROR_WANT_READ) {
        return Step::more;
    }
    if (result != 1) {
        fail(true);
        return Step::failed;
    }
    done_ = true;
    sealed_ = backend_ == nullptr && SSL_version(ssl_) == TLS1_3_VERSION ? records_since(before) : 0;
    return Step::done;
}

Facts Handshake::facts() const {
    Facts facts;
    facts.version = static_cast<std::uint16_t>(SSL_version(ssl_));
    const char* name = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl_));
    facts.cipher = name != nullptr ? name : "";
    facts.resumed = SSL_session_reused(ssl_) == 1;
    const unsigned char* protocol = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl_, &protocol, &size);
    facts.alpn.assign(reinterpret_cast<const char*>(protocol), size);
    const X509* certificate = backend_ == nullptr ? SSL_get0_peer_certificate(ssl_) : nullptr;
    if (certificate != nullptr) {
        facts.peer = PeerCertificate::of(certificate, SSL_get_verify_result(ssl_) == X509_V_OK);
    }
    return facts;
}

// ---- the keys -------------------------------------------------------------------------------------------------------------------
namespace {

int digit_of(char letter) { return letter >= '0' && letter <= '9' ? letter - '0' : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1; }

Secret secret_of(std::string_view digits) {
    std::array<std::uint8_t, Secret::kMax> bytes = {};
    if (digits.size() % 2 != 0 || digits.size() / 2 > bytes.size()) {
        return {};
    }
    for (std::size_t i = 0; i < digits.size() / 2; ++i) {
        bytes[i] = static_cast<std::uint8_t>(digit_of(digits[2 * i]) << 4 | digit_of(digits[2 * i + 1]));
    }
    Secret secret{std::span(bytes).first(digits.size() / 2)};
    OPENSSL_cleanse(bytes.data(), bytes.size());
    return secret;
}

}  // namespace

// A line as NSS logs it: label, client random, secret. The labels of other secrets are longer or end otherwise.
void Handshake::on_secret(const SSL* ssl, const char* line) {
    auto* self = static_cast<Handshake*>(SSL_get_app_data(ssl));
    if (self == nullptr) {
        return;  // somebody else's connection on one of our contexts
    }
    const std::string_view text(line);
    const std::string_view secret = text.substr(text.rfind(' ') + 1);
    if (text.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) {
        self->client_secret_ = secret_of(secret);
    } else if (text.starts_with("SERVER_TRAFFIC_SECRET_0 ")) {
        self->server_secret_ = secret_of(secret);
    }
}

int Handshake::on_session(SSL* ssl, SSL_SESSION* session) {
    const auto& self = *static_cast<const Handshake*>(SSL_get_app_data(ssl));
    self.backend_->keep(self.endpoint_, session);
    return 1;  // it is ours now
}

bool Handshake::hand_over_13(HandOver& to) const {
    const bool server = to.role == Role::server;
    const std::size_t wanted = to.read.suite.sha384 ? 48 : 32;
    if (client_secret_.bytes().size() != wanted || server_secret_.bytes().size() != wanted) {
        return false;
    }
    to.read.secret = server ? client_secret_ : server_secret_;
    to.write.secret = server ? server_secret_ : client_secret_;
    to.read.key = record_key(to.read.suite, to.read.secret);
    to.write.key = record_key(to.write.suite, to.write.secret);
    to.write.sequence = sealed_;
    return true;
}

bool Handshake::hand_over_12(HandOver& to) const {
    std::array<std::uint8_t, Secret::kMax> bytes = {};
    const std::size_t size = SSL_SESSION_get_master_key(SSL_get_session(ssl_), bytes.data(), bytes.size());
    const Secret master{std::span(bytes).first(size)};
    OPENSSL_cleanse(bytes.data(), bytes.size());
    std::array<std::uint8_t, 32> client_random = {};
    std::array<std::uint8_t, 32> server_random = {};
    if (size != Secret::kMax || SSL_get_client_random(ssl_, client_random.data(), client_random.size()) != client_random.size() ||
        SSL_get_server_random(ssl_, server_random.data(), server_random.size()) != server_random.size()) {
        return false;
    }
    const KeyBlock block = key_block(to.read.suite, master, client_random, server_random);
    to.read.key = to.role == Role::server ? block.client : block.server;
    to.write.key = to.role == Role::server ? block.server : block.client;
    to.read.sequence = to.write.sequence = 1;  // the Finished messages were 0
    return true;
}

std::optional<HandOver> Handshake::hand_over() {
    std::optional<HandOver> keys = collect_keys();
    client_secret_ = server_secret_ = Secret();  // whoever goes on
    return keys;
}

std::optional<HandOver> Handshake::collect_keys() const {
    const auto suite = Suite::of(SSL_get_current_cipher(ssl_));
    if (!suite || SSL_has_pending(ssl_) != 0) {
        return std::nullopt;
    }
    HandOver to;
    to.role = backend_ != nullptr ? Role::client : Role::server;
    to.read.suite = to.write.suite = *suite;
    to.read.tls13 = to.write.tls13 = SSL_version(ssl_) == TLS1_3_VERSION;
    const std::uint8_t shorter = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_));
    if (shorter >= TLSEXT_max_fragment_length_512 && shorter <= TLSEXT_max_fragment_length_4096) {
        to.fragment_max = std::size_t{256} << shorter;
    }
    const bool known = to.read.tls13 ? hand_over_13(to) : hand_over_12(to);
    return known ? std::optional(std::move(to)) : std::nullopt;
}

bool Handshake::take_ticket(std::span<std::uint8_t> record) {
    ERR_clear_error();
    input_ = record;
    std::uint8_t byte = 0;
    const std::size_t before = output_.size();
    const int result = SSL_read(ssl_, &byte, 1);
    const bool fine = result <= 0 && SSL_get_error(ssl_, result) == SSL_ERROR_WANT_READ;
    input_ = {};
    output_.resize(before);  // an alert about a bad ticket would have the number of a record of ours
    ERR_clear_error();
    return fine;
}

// ---- OpenSSL's record layer -----------------------------------------------------------------------------------------------------
Handshake::Read Handshake::read(std::span<std::uint8_t>& input, Bytes& plaintext) {
    thread_local std::array<std::uint8_t, kPlaintextMax> record;
    ERR_clear_error();
    input_ = input;
    const int count = SSL_read(ssl_, record.data(), static_cast<int>(record.size()));
    const int error = count > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_, count);
    input = std::exchange(input_, {});
    append(plaintext, std::span(record).first(static_cast<std::size_t>(std::max(count, 0))));
    switch (error) {
        case SSL_ERROR_NONE: return Read::data;
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE: return Read::more;
        case SSL_ERROR_ZERO_RETURN: return Read::closed;
        default: fail(false); return Read::failed;
    }
}

bool Handshake::write_all(const std::uint8_t* bytes, std::size_t size) {
    while (size != 0) {
        ERR_clear_error();
        const int count = SSL_write(ssl_, bytes, static_cast<int>(std::min<std::size_t>(size, 1 << 20)));
        if (count <= 0) {
            fail(false);
            return false;
        }
        bytes += count;
        size -= static_cast<std::size_t>(count);
    }
    return true;
}

// One record for all of it where that fits.
bool Handshake::write(std::span<const iovec> parts) {
    Bytes record;
    for (const iovec& part : parts) {
        const auto* bytes = static_cast<const std::uint8_t*>(part.iov_base);
        if (record.size() + part.iov_len > kPlaintextMax) {
            if (!write_all(record.data(), record.size())) {
                return false;
            }
            record.clear();
        }
        if (part.iov_len >= kPlaintextMax) {
            if (!write_all(bytes, part.iov_len)) {
                return false;
            }
        } else {
            append(record, {bytes, part.iov_len});
        }
    }
    return write_all(record.data(), record.size());
}

void Handshake::close() {
    ERR_clear_error();
    SSL_shutdown(ssl_);
}

}  // namespace penstock::tls
