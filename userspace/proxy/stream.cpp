// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/stream.hpp"

#include <cerrno>

namespace penstock::proxy {

namespace {
constexpr std::size_t kHeldMax = 8;
}  // namespace

ring::Task<int> Stream::flush(ring::Time deadline) {
    if (session_->output().empty()) {
        co_return 0;
    }
    // Freed when it is sent: an idle connection keeps no buffers.
    const tls::Bytes sending = std::exchange(session_->output(), {});
    sending_ = true;
    const int sent = co_await socket_.send(std::span<const std::uint8_t>(sending), deadline);
    sending_ = false;
    co_return sent;
}

ring::Task<int> Stream::handshake(ssl_ctx_st* context, std::string first, ring::Time deadline) {
    session_ = std::make_unique<tls::Session>(context);
    session_->feed({reinterpret_cast<std::uint8_t*>(first.data()), first.size()});
    co_return co_await shake(deadline);
}

ring::Task<int> Stream::connect_tls(std::shared_ptr<const tls::BackendContext> context, const Endpoint& to, ring::Time deadline) {
    session_ = std::make_unique<tls::Session>(std::move(context), to);
    co_return co_await shake(deadline);
}

// The peer cannot be through before it has heard us, so that what is fed first is used up by the first step.
ring::Task<int> Stream::shake(ring::Time deadline) {
    for (;;) {
        decrypt();
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
        buffer_ = std::move(received.buffer);
        session_->feed(buffer_.bytes());
    }
    co_return session_->state() == tls::SessionState::failed ? EPROTO : 0;
}

// The next piece of plaintext out of what was fed.
bool Stream::decrypt() {
    const auto plaintext = session_->next();
    view_ = {reinterpret_cast<const char*>(plaintext.data()), plaintext.size()};
    return !view_.empty();
}

// The next buffer that has arrived, without waiting; the one before is held.
bool Stream::take_more() {
    if (!socket_.open() || held_.size() >= kHeldMax) {
        return false;
    }
    ring::Buffer more = socket_.take();
    if (more.empty()) {
        return false;
    }
    held_.push_back(std::move(buffer_));
    buffer_ = std::move(more);
    return true;
}

bool Stream::gather() {
    if (session_ == nullptr) {
        if (!take_more()) {
            return false;
        }
        view_ = buffer_.view();
        return true;
    }
    while (!decrypt()) {
        if (session_->state() != tls::SessionState::established || !take_more()) {
            return false;
        }
        session_->feed(buffer_.bytes());
    }
    return true;
}

// The peer hears why. Nobody else can send once the session has failed.
ring::Task<int> Stream::tell_failure() {
    if (!sending_ && socket_.open()) {
        co_await flush(socket_.loop().now() + std::chrono::seconds(1));
    }
    co_return EPROTO;
}

ring::Task<int> Stream::fill(ring::Time deadline) {
    held_.clear();
    view_ = {};
    if (session_ != nullptr) {
        session_->release();
    }
    for (;;) {
        if (!socket_.open()) {
            co_return ECANCELED;
        }
        if (session_ != nullptr) {
            if (decrypt()) {
                co_return 0;
            }
            if (session_->state() != tls::SessionState::established) {
                buffer_.reset();
                if (session_->state() == tls::SessionState::closed) {
                    co_return kEnded;
                }
                co_return co_await tell_failure();
            }
        }
        buffer_.reset();
        ring::Received received = co_await socket_.receive(deadline);
        if (received.error != 0) {
            co_return received.error;
        }
        if (received.ended()) {
            // Without close_notify the end may be a truncation; HTTP framing tells whether that matters.
            co_return kEnded;
        }
        buffer_ = std::move(received.buffer);
        if (session_ == nullptr) {
            view_ = buffer_.view();
            co_return 0;
        }
        session_->feed(buffer_.bytes());
    }
}

ring::Task<int> Stream::send(std::span<iovec> parts, ring::Time deadline) {
    if (!socket_.open()) {
        co_return ECANCELED;
    }
    if (session_ == nullptr) {
        co_return co_await socket_.send(parts, deadline);
    }
    if (!session_->write(parts)) {
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
