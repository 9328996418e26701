// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/stream.hpp"

#include <cerrno>

namespace penstock::proxy {

namespace {
std::span<const std::uint8_t> bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
}  // namespace

ring::Task<int> Stream::flush(ring::Time deadline) {
    if (session_->output().empty()) {
        co_return 0;
    }
    sending_.clear();
    sending_.swap(session_->output());
    co_return co_await socket_.send(std::span<const std::uint8_t>(sending_), deadline);
}

void Stream::take_plaintext() { view_ = {reinterpret_cast<const char*>(plaintext_.data()), plaintext_.size()}; }

ring::Task<int> Stream::handshake(ssl_ctx_st* context, std::string first, ring::Time deadline) {
    session_ = std::make_unique<tls::Session>(context);
    session_->feed(bytes_of(first), plaintext_);
    for (;;) {
        const int sent = co_await flush(deadline);
        if (sent != 0) {
            co_return sent;
        }
        if (session_->state() != tls::SessionState::handshake) {
            break;
        }
        ring::Received received = co_await socket_.receive(deadline);
        if (!received) {
            co_return received.error != 0 ? received.error : ECONNRESET;
        }
        session_->feed(received.buffer.bytes(), plaintext_);
    }
    take_plaintext();
    co_return session_->state() == tls::SessionState::failed ? EPROTO : 0;
}

ring::Task<int> Stream::fill(ring::Time deadline) {
    buffer_.reset();
    if (session_ != nullptr && session_->state() != tls::SessionState::established) {
        co_return session_->state() == tls::SessionState::closed ? kEnded : EPROTO;
    }
    for (;;) {
        ring::Received received = co_await socket_.receive(deadline);
        if (received.error != 0) {
            co_return received.error;
        }
        if (received.ended()) {
            // Without close_notify the end may be a truncation; HTTP framing tells whether that matters.
            co_return kEnded;
        }
        if (session_ == nullptr) {
            buffer_ = std::move(received.buffer);
            view_ = buffer_.view();
            co_return 0;
        }
        plaintext_.clear();
        const tls::SessionState state = session_->feed(received.buffer.bytes(), plaintext_);
        take_plaintext();
        if (!view_.empty()) {
            co_return 0;
        }
        if (state != tls::SessionState::established) {
            co_return state == tls::SessionState::closed ? kEnded : EPROTO;
        }
    }
}

ring::Task<int> Stream::send(std::span<iovec> parts, ring::Time deadline) {
    if (session_ == nullptr) {
        co_return co_await socket_.send(parts, deadline);
    }
    for (const iovec& part : parts) {
        if (!session_->write({static_cast<const std::uint8_t*>(part.iov_base), part.iov_len})) {
            co_return EPROTO;
        }
    }
    co_return co_await flush(deadline);
}

ring::Task<int> Stream::send(std::string_view text, ring::Time deadline) {
    iovec part = {const_cast<char*>(text.data()), text.size()};
    co_return co_await send(std::span(&part, 1), deadline);
}

ring::Task<> Stream::finish(ring::Time deadline) {
    if (session_ != nullptr) {
        session_->close();
        co_await flush(deadline);
    }
    socket_.shutdown_send();
}

}  // namespace penstock::proxy
