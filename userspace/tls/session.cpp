// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/session.hpp"

namespace penstock::tls {

Session::Session(ssl_ctx_st* context) : handshake_(std::make_unique<Handshake>(context, output_)) {}

Session::Session(std::shared_ptr<const BackendContext> backend, const Endpoint& to) : handshake_(std::make_unique<Handshake>(std::move(backend), to, output_)) {}

Session::~Session() = default;

void Session::fail(Fault fault, std::string detail) {
    fault_ = fault;
    detail_ = std::move(detail);
    state_ = SessionState::failed;
}

void Session::feed(std::span<std::uint8_t> ciphertext) {
    if (records_) {
        records_->feed(ciphertext);
    } else {
        input_ = ciphertext;
    }
}

void Session::release() {
    plaintext_.clear();
    if (records_) {
        records_->release();
    }
}

void Session::shake() {
    switch (handshake_->step(input_)) {
        case Handshake::Step::more: return;
        case Handshake::Step::failed:
            fail(handshake_->fault(), handshake_->detail());
            handshake_.reset();
            return;
        case Handshake::Step::done: break;
    }
    state_ = SessionState::established;
    facts_ = handshake_->facts();
    if (auto keys = handshake_->hand_over()) {
        const bool waits_for_ticket = keys->role == Role::client && keys->read.tls13;
        records_.emplace(std::move(*keys));
        records_->feed(std::exchange(input_, {}));
        if (!waits_for_ticket) {
            handshake_.reset();
        }
    }
}

std::span<const std::uint8_t> Session::next() {
    if (state_ == SessionState::handshake) {
        shake();
    }
    if (state_ != SessionState::established) {
        return {};
    }
    return records_ ? next_record() : next_of_openssl();
}

std::span<const std::uint8_t> Session::next_record() {
    using Means = PostHandshake::Means;
    Bytes copy;  // of a record that may hold a ticket, which only OpenSSL can read
    for (;;) {
        const Records::Next got = records_->next(output_, handshake_ != nullptr ? &copy : nullptr);
        if (got.none) {
            return {};
        }
        // Once data has come, or the keys have changed, no ticket is waited for.
        if (handshake_ != nullptr && (got.means != Means::ticket || !handshake_->take_ticket(copy))) {
            handshake_.reset();
        }
        heed(got.means);
        if (got.means == Means::data) {
            return got.data;
        }
        if (state_ != SessionState::established) {
            return {};
        }
    }
}

void Session::heed(PostHandshake::Means means) {
    if (means == PostHandshake::Means::closed) {
        state_ = SessionState::closed;
    } else if (means == PostHandshake::Means::failed) {
        fail(records_->fault(), records_->detail());
    }
}

std::span<const std::uint8_t> Session::next_of_openssl() {
    Bytes plaintext;
    switch (handshake_->read(input_, plaintext)) {
        case Handshake::Read::data: plaintext_.push_back(std::move(plaintext)); return plaintext_.back();
        case Handshake::Read::more: break;
        case Handshake::Read::closed: state_ = SessionState::closed; break;
        case Handshake::Read::failed: fail(handshake_->fault(), handshake_->detail()); break;
    }
    return {};
}

bool Session::may_write() const { return state_ != SessionState::failed && state_ != SessionState::handshake && !close_said_; }

bool Session::write(std::span<iovec> parts) {
    if (!may_write()) {
        return false;
    }
    if (records_ ? records_->write(parts, output_) : handshake_->write(parts)) {
        return true;
    }
    records_ ? fail(records_->fault(), records_->detail()) : fail(handshake_->fault(), handshake_->detail());
    return false;
}

bool Session::write(std::span<const std::uint8_t> bytes) {
    iovec part = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    return write(std::span(&part, 1));
}

// ---- kTLS ---------------------------------------------------------------------------------------------------------------------
bool Session::give_writing(int fd) {
    return state_ == SessionState::established && records_ && output_.empty() && !close_said_ && records_->give_writing(fd);
}

// As long as a ticket is waited for, its record must come as it is.
bool Session::between_records() const { return state_ == SessionState::established && records_ && handshake_ == nullptr && records_->between(); }

bool Session::give_reading(int fd) { return between_records() && records_->give_reading(fd); }

std::span<const std::uint8_t> Session::take(std::uint8_t type, std::span<const std::uint8_t> bytes, int fd) {
    const PostHandshake::Means means = records_->take(type, bytes, fd);
    heed(means);
    return means == PostHandshake::Means::data ? bytes : std::span<const std::uint8_t>();
}

bool Session::take_error(int error, int fd) {
    if (!records_->take_error(error, fd)) {
        return false;
    }
    fail(records_->fault(), records_->detail());
    return true;
}

bool Session::renew_writing(int fd) {
    if (!records_->renew_writing(fd)) {
        fail(records_->fault(), records_->detail());
        return false;
    }
    return true;
}

void Session::close() {
    if (close_said_ || (state_ != SessionState::established && state_ != SessionState::closed)) {
        return;
    }
    close_said_ = true;
    records_ ? records_->close(output_) : handshake_->close();
}

}  // namespace penstock::tls
