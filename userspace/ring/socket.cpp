// SPDX-License-Identifier: Apache-2.0
// Streams and connected datagram sockets, as their owners use them.
#include "userspace/ring/socket.hpp"

#include "userspace/base/assert.hpp"
#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {
constexpr std::uint8_t kRecordOfData = 23;
}

Socket& Socket::operator=(Socket&& other) noexcept {
    if (this != &other) {
        close();
        state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
}

int Socket::fd() const { return state_->fd; }
Loop& Socket::loop() const { return state_->loop; }

Buffer Socket::take() {
    if (!state_->unread.empty()) {
        return std::move(state_->unread);
    }
    const bool fit = !state_->inbox.empty() && (!state_->records || state_->next_record() == kRecordOfData);
    return fit ? state_->pop_inbox() : Buffer();
}

void Socket::limit_receives(std::uint32_t most) {
    state_->most = most;
    if (most != 0 && state_->armed && !state_->pausing) {
        Internals::engine(state_->loop).pause(*state_);
    }
}

bool Socket::untouched() const { return !state_->armed && !state_->has_input() && state_->unread.empty(); }

void Socket::receives_records() {
    PST_ASSERT(untouched());
    state_->records = true;
    state_->most = 0;
}

void Socket::sends_records() {
    PST_ASSERT(state_->writer == nullptr);
    state_->seals = true;
}

bool Socket::streams() const {
    return state_->streaming() && untouched();
}

std::ptrdiff_t Socket::pull(Pipe& into, std::size_t most) {
    PST_ASSERT(untouched() && into.held() == 0);
    state_->make_nonblocking();
    const std::ptrdiff_t n = into.fill(state_->fd, most);
    if (n > 0 && static_cast<std::size_t>(n) <= state_->loop.options().buffer_bytes) {
        state_->full = 0;
    } else if (n == -EAGAIN) {
        state_->readable = false;
    } else if (n < 0 && n != -EINVAL && n != -ENOMEM) {
        state_->end(static_cast<int>(-n));  // a socket tells its error once
    }
    return n;
}

std::ptrdiff_t Socket::push(Pipe& from) {
    PST_ASSERT(state_->writer == nullptr);
    state_->make_nonblocking();
    const std::ptrdiff_t n = from.empty(state_->fd);
    if (n == -EAGAIN) {
        state_->writable = false;
    }
    return n;
}

void Socket::unread(Buffer buffer) {
    PST_ASSERT(state_->unread.empty());
    state_->unread = std::move(buffer);
}

bool Socket::post(Buffer datagram) {
    PST_ASSERT(state_->datagram);
    Engine& engine = Internals::engine(state_->loop);
    Posting* posting = engine.prepare(*state_, std::move(datagram));
    return posting != nullptr && engine.post(*posting);
}

int Socket::shutdown_send() { return ::shutdown(state_->fd, SHUT_WR) == 0 ? 0 : errno; }

void Socket::close() {
    if (state_ != nullptr) {
        std::exchange(state_, nullptr)->close();
    }
}

void Socket::abort() {
    if (state_ != nullptr) {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(state_->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close();
    }
}

void Socket::park(IdleHook& hook, Time deadline) {
    PST_ASSERT(state_->reader == nullptr && state_->hook == nullptr);
    if (state_->has_input()) {
        hook.disturbed(state_->ended ? state_->error : 0);
        return;
    }
    state_->hook = &hook;
    state_->receive_until = deadline;
    state_->watch(deadline);
    Internals::engine(state_->loop).receive(*state_);
}

void Socket::unpark() {
    state_->hook = nullptr;
    state_->receive_until = kNever;
}

bool Socket::quiet() {
    return state_->unread.empty() && !state_->has_input() && Internals::engine(state_->loop).quiet(*state_);
}

std::optional<Endpoint> Socket::peer() const {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getpeername(state_->fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
        return std::nullopt;
    }
    return Endpoint::from_sockaddr(name);
}

std::optional<Endpoint> Socket::local() const {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    if (::getsockname(state_->fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) {
        return std::nullopt;
    }
    return Endpoint::from_sockaddr(name);
}

}  // namespace penstock::ring
