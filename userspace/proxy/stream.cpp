// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/stream.hpp"

#include <cerrno>

namespace penstock::proxy {

namespace {
constexpr std::size_t kHeldMax = 8;
constexpr std::size_t kRecordMax = 16 * 1024;  // of plaintext, RFC 8446 5.1
std::span<const std::uint8_t> bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }
}  // namespace

ring::Task<int> Stream::flush(ring::Time deadline) {
    if (session_->output().empty()) {
        co_return 0;
    }
    // Freed when it is sent: an idle connection keeps no buffers.
    const std::vector<std::uint8_t> sending = std::exchange(session_->output(), {});
    co_return co_await socket_.send(std::span<const std::uint8_t>(sending), deadline);
}

void Stream::take_plaintext() { view_ = {reinterpret_cast<const char*>(plaintext_.data()), plaintext_.size()}; }

ring::Task<int> Stream::handshake(ssl_ctx_st* context, std::string first, ring::Time deadline) {
    session_ = std::make_unique<tls::Session>(context);
    co_return co_await shake(first, deadline);
}

ring::Task<int> Stream::connect_tls(std::shared_ptr<const tls::BackendContext> context, const Endpoint& to, ring::Time deadline) {
    session_ = std::make_unique<tls::Session>(std::move(context), to);
    co_return co_await shake({}, deadline);
}

ring::Task<int> Stream::shake(std::string_view first, ring::Time deadline) {
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

bool Stream::gather() {
    if (session_ != nullptr || !socket_.open() || held_.size() >= kHeldMax) {
        return false;
    }
    ring::Buffer more = socket_.take();
    if (more.empty()) {
        return false;
    }
    held_.push_back(std::move(buffer_));
    buffer_ = std::move(more);
    view_ = buffer_.view();
    return true;
}

ring::Task<int> Stream::fill(ring::Time deadline) {
    held_.clear();
    buffer_.reset();
    view_ = {};
    if (!socket_.open()) {
        co_return ECANCELED;
    }
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

// One record for all of it where that fits: a record costs 22 bytes, a system of its own at the client, and a pass of the cipher.
bool Stream::encrypt(std::span<const iovec> parts) {
    static thread_local std::vector<std::uint8_t> record;
    record.clear();
    for (const iovec& part : parts) {
        const auto* bytes = static_cast<const std::uint8_t*>(part.iov_base);
        if (parts.size() == 1 || part.iov_len >= kRecordMax) {
            if (!session_->write(record) || !session_->write({bytes, part.iov_len})) {
                return false;
            }
            record.clear();
            continue;
        }
        if (record.size() + part.iov_len > kRecordMax) {
            if (!session_->write(record)) {
                return false;
            }
            record.clear();
        }
        record.insert(record.end(), bytes, bytes + part.iov_len);
    }
    return session_->write(record);
}

ring::Task<int> Stream::send(std::span<iovec> parts, ring::Time deadline) {
    if (!socket_.open()) {
        co_return ECANCELED;
    }
    if (session_ == nullptr) {
        co_return co_await socket_.send(parts, deadline);
    }
    if (!encrypt(parts)) {
        co_return EPROTO;
    }
    co_return co_await flush(deadline);
}

ring::Task<int> Stream::send(std::string_view text, ring::Time deadline) {
    iovec part = {const_cast<char*>(text.data()), text.size()};
    co_return co_await send(std::span(&part, 1), deadline);
}

ring::Task<> Stream::finish(ring::Time deadline) {
    if (session_ != nullptr && socket_.open()) {
        session_->close();
        co_await flush(deadline);
    }
    if (socket_.open()) {
        socket_.shutdown_send();
    }
}

}  // namespace penstock::proxy
