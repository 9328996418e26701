// SPDX-License-Identifier: Apache-2.0
// What a coroutine waits for on a stream or a connected datagram socket: bytes, room, the connection.
#include <linux/tls.h>

#include "userspace/base/assert.hpp"
#include "userspace/ring/socket.hpp"
#include "userspace/ring/state.hpp"

namespace penstock::ring {

ReceiveWait::~ReceiveWait() {
    PST_ASSERT(!waiting());
    if (socket_ != nullptr && socket_->reader == this) {
        socket_->reader = nullptr;
    }
}

bool ReceiveWait::start(Scope& scope, std::coroutine_handle<> who) {
    SocketState& s = *socket_;
    PST_ASSERT(s.reader == nullptr && s.hook == nullptr);
    if (scope.cancelled() != 0) {
        error_ = scope.cancelled();
        return false;
    }
    const auto here = [&s] { return !s.unread.empty() || s.has_input(); };
    if (!here()) {
        s.reader = this;  // an engine that finds no buffer must know that somebody wants one
        Internals::engine(s.loop).receive(s);
    }
    if (here() && Internals::spend_immediate(s.loop)) {
        return false;
    }
    s.reader = this;
    begin(scope, who);
    if (here()) {
        finish(0);  // with the next turn: others come first
    } else {
        s.receive_until = deadline_;
        s.watch(deadline_);
    }
    return true;
}

void ReceiveWait::on_cancel(int error) {
    socket_->receive_until = kNever;
    socket_->unlink();  // needs no buffer any more
    finish(error);
}

void ReceiveWait::abandon() {
    socket_ = nullptr;
    if (waiting()) {
        finish(ECANCELED);
    } else {
        error_ = ECANCELED;
    }
}

Received ReceiveWait::await_resume() {
    if (socket_ != nullptr) {
        socket_->reader = nullptr;
    }
    if (error_ != 0) {
        return {Buffer(), error_};
    }
    return std::exchange(socket_, nullptr)->pop();
}

SendWait::SendWait(SocketState& socket, std::uint8_t record, std::span<const std::uint8_t> bytes, Time deadline) : SendWait(socket, bytes, deadline) {
    PST_ASSERT(socket.seals);
    message.msg_control = control_.data();
    message.msg_controllen = control_.size();
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_TLS;
    head->cmsg_type = TLS_SET_RECORD_TYPE;
    head->cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(head) = record;
}

SendWait::~SendWait() { PST_ASSERT(!waiting()); }

bool SendWait::advance(std::size_t count) {
    while (!parts_.empty() && count >= parts_.front().iov_len) {
        count -= parts_.front().iov_len;
        parts_ = parts_.subspan(1);
    }
    if (!parts_.empty()) {
        parts_.front().iov_base = static_cast<char*>(parts_.front().iov_base) + count;
        parts_.front().iov_len -= count;
    }
    return parts_.empty();
}

bool SendWait::start(Scope& scope, std::coroutine_handle<> who) {
    SocketState& s = *socket_;
    PST_ASSERT(s.writer == nullptr);
    if (scope.cancelled() != 0) {
        error_ = scope.cancelled();
        return false;
    }
    if (parts_.data() != &one_ && parts_.empty()) {
        return false;
    }
    if (advance(0)) {
        return false;
    }
    const int result = Internals::engine(s.loop).send(s, *this);
    if (result != Engine::kPending) {
        error_ = result;
        if (result != 0 || Internals::spend_immediate(s.loop)) {
            return false;
        }
        begin(scope, who);
        finish(0);
        return true;
    }
    s.writer = this;
    s.write_error = 0;
    begin(scope, who);
    s.send_until = deadline_;
    s.watch(deadline_);
    return true;
}

void SendWait::on_cancel(int error) {
    socket_->write_error = error;
    Internals::engine(socket_->loop).cancel_send(*socket_);
}

ConnectWait::ConnectWait(SocketState* socket, int error, const Endpoint& to, Time deadline)
    : socket_(socket), deadline_(deadline) {
    error_ = error;
    address_size = to.to_sockaddr(address);
}

ConnectWait::~ConnectWait() {
    PST_ASSERT(!waiting());
    if (socket_ != nullptr) {
        socket_->close();
    }
}

bool ConnectWait::start(Scope& scope, std::coroutine_handle<> who) {
    if (socket_ == nullptr) {
        return false;
    }
    if (scope.cancelled() != 0) {
        error_ = scope.cancelled();
        return false;
    }
    SocketState& s = *socket_;
    s.connecting = true;
    const int result = Internals::engine(s.loop).connect(s, *this);
    if (result != Engine::kPending) {
        s.connecting = false;
        error_ = result;
        return false;
    }
    s.connector = this;
    s.write_error = 0;
    begin(scope, who);
    s.send_until = deadline_;
    s.watch(deadline_);
    return true;
}

void ConnectWait::on_cancel(int error) {
    socket_->write_error = error;
    Internals::engine(socket_->loop).cancel_connect(*socket_);
}

Opened ConnectWait::await_resume() {
    if (error_ != 0) {
        return {Socket(), error_};
    }
    return {Socket(*std::exchange(socket_, nullptr)), 0};
}

}  // namespace penstock::ring
