// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/stream.hpp"

#include <cerrno>

#include "userspace/base/log.hpp"
#include "userspace/tls/kernel_keys.hpp"

namespace penstock::proxy {

namespace {
constexpr std::size_t kHeldMax = 8;
constexpr std::uint32_t kAnySize = 1 << 16;  // one receive at a time, of whatever is there
}  // namespace

ring::Task<int> Stream::flush(ring::Time deadline) {
    if (const auto control = session_->take_control()) {
        co_return co_await send_control(*control, deadline);
    }
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
    begin_to_climb();
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
    if (session_->state() == tls::SessionState::failed) {
        co_return EPROTO;
    }
    climb_writing();
    co_return 0;
}

// The next piece of plaintext out of what was fed.
bool Stream::decrypt() {
    const auto plaintext = session_->next();
    view_ = {reinterpret_cast<const char*>(plaintext.data()), plaintext.size()};
    return !view_.empty();
}

// ---- kTLS -----------------------------------------------------------------------------------------------------------------------
void Stream::begin_to_climb() {
    climbing_ = ladder_ != nullptr && ladder_->kernel;
    if (climbing_) {
        socket_.limit_receives(kAnySize);
    }
}

// After the handshake, when all that it had to say was sent.
void Stream::climb_writing() {
    if (ladder_ != nullptr) {
        count(session_->own_records() ? ladder_->stats.tls_own_total : ladder_->stats.tls_openssl_total);
    }
    if (!std::exchange(climbing_, false)) {
        return;
    }
    if (session_->own_records()) {
        const int why = tls::attach_kernel(socket_.fd());
        if (why == 0 && session_->give_writing(socket_.fd())) {
            socket_.sends_records();
            count(ladder_->stats.ktls_write_total);
            climbing_ = true;
            return;
        }
        if (why == ENOENT || why == ENOPROTOOPT || why == EPERM) {  // not for this connection alone
            ladder_->kernel = false;
            log::info("kTLS cannot be had ({}): records are made in user space", std::strerror(why));
        }
    }
    socket_.limit_receives(0);
}

// Before a receive. What was received must be used up, and end where a record ends.
void Stream::climb_reading() {
    const auto missing = static_cast<std::uint32_t>(session_->missing());
    if (!session_->between_records() || !socket_.untouched()) {
        socket_.limit_receives(missing != 0 ? missing : kAnySize);
        return;
    }
    climbing_ = false;
    if (session_->give_reading(socket_.fd())) {
        socket_.receives_records();
        count(ladder_->stats.ktls_read_total);
    } else {
        socket_.limit_receives(0);
    }
}

// What is in buffer_, which the kernel has decrypted.
bool Stream::take_record(std::uint8_t type) {
    const auto data = session_->take(type, buffer_.bytes(), socket_.fd());
    view_ = {reinterpret_cast<const char*>(data.data()), data.size()};
    return !view_.empty();
}

// ---- receiving ------------------------------------------------------------------------------------------------------------------
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
    if (session_->kernel_reads()) {
        return session_->state() == tls::SessionState::established && take_more() && take_record(tls::application_data);
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
    if (!sending_ && !raw_ && socket_.open()) {
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
            if (!session_->kernel_reads() && decrypt()) {
                co_return 0;
            }
            if (session_->state() != tls::SessionState::established) {
                buffer_.reset();
                if (session_->state() == tls::SessionState::closed) {
                    co_return kEnded;
                }
                co_return co_await tell_failure();
            }
            if (climbing_) {
                climb_reading();
            }
        }
        buffer_.reset();
        ring::Received received = co_await socket_.receive(deadline);
        const bool by_kernel = session_ != nullptr && session_->kernel_reads();
        if (by_kernel && socket_.open() && session_->take_error(received.error, socket_.fd())) {
            continue;
        }
        if (received.error != 0) {
            co_return received.error;
        }
        if (received.ended()) {
            truncated_ = session_ != nullptr;
            co_return kEnded;
        }
        buffer_ = std::move(received.buffer);
        if (session_ == nullptr) {
            view_ = buffer_.view();
            co_return 0;
        }
        if (!by_kernel) {
            session_->feed(buffer_.bytes());
        } else if (take_record(received.record)) {
            co_return 0;
        }
    }
}

// ---- sending --------------------------------------------------------------------------------------------------------------------
ring::Task<int> Stream::send_control(tls::Records::Control control, ring::Time deadline) {
    sending_ = true;
    const int sent = co_await socket_.send_record(control.type, std::span(control.bytes).first(control.size), deadline);
    sending_ = false;
    co_return sent;
}

ring::Task<int> Stream::before_raw(std::size_t bytes, ring::Time deadline) {
    if (session_ == nullptr || !session_->update_due(bytes)) {
        co_return 0;
    }
    const int said = co_await flush(deadline);
    if (said != 0) {
        co_return said;
    }
    co_return socket_.open() && session_->renew_writing(socket_.fd()) ? 0 : EPROTO;
}

ring::Task<int> Stream::ready(ring::ReadyWait::For what, ring::Time deadline) {
    if (!socket_.open()) {
        co_return ECANCELED;
    }
    if (what == ring::ReadyWait::For::reading) {
        held_.clear();
        view_ = {};
        buffer_.reset();
    }
    co_return co_await socket_.ready(what, deadline);
}

// The parts as data, whose records the kernel makes.
ring::Task<int> Stream::send_to_kernel(std::span<iovec> parts, ring::Time deadline) {
    std::size_t size = 0;
    for (const iovec& part : parts) {
        size += part.iov_len;
    }
    const int fresh = co_await before_raw(size, deadline);
    if (fresh != 0) {
        co_return fresh;
    }
    if (!socket_.open()) {
        co_return ECANCELED;
    }
    sending_ = true;
    const int sent = co_await socket_.send(parts, deadline);
    sending_ = false;
    co_return sent;
}

ring::Task<int> Stream::send(std::span<iovec> parts, ring::Time deadline) {
    if (!socket_.open()) {
        co_return ECANCELED;
    }
    if (session_ == nullptr) {
        co_return co_await socket_.send(parts, deadline);
    }
    if (session_->kernel_writes() && session_->may_write()) {
        co_return co_await send_to_kernel(parts, deadline);
    }
    if (session_->kernel_writes() || !session_->write(parts)) {
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
