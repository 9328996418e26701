// SPDX-License-Identifier: Apache-2.0
// Streams and connected datagram sockets: inbox, waiters, deadlines, lifetime.
#include "userspace/ring/socket.hpp"

#include <fcntl.h>
#include <linux/tls.h>

#include <cstring>

#include "userspace/base/assert.hpp"
#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {

constexpr std::uint8_t kRecordOfData = 23;
constexpr unsigned kStreaming = 8;  // buffers filled in a row: whoever sends that much sends more

DatagramHeader header_of(const BufferPool& pool, std::uint16_t id) {
    DatagramHeader header;
    std::memcpy(&header, pool.data(id), sizeof header);
    return header;
}

}  // namespace

// ---- what both engines report --------------------------------------------------------------------------------------------

void ReceiveState::arrived(std::uint16_t id, std::size_t size) {
    if (closed) {
        pool->give(id);
        return;
    }
    if (records && size == kRecordHead && header_of(*pool, id).control_size == 0) {
        pool->give(id);
        end(0);
        return;
    }
    inbox.push(*pool, id, size);
    measure(size);
    notify();
    const unsigned limit = pool->pressed() ? 1 : loop.options().inbox_buffers;
    if (inbox.count() >= limit && armed && !pausing && !someone_waits()) {
        Internals::counters(loop).receive_pauses++;
        Internals::engine(loop).pause(*this);
    } else if (full == kStreaming && armed && !pausing && !in_bulk()) {
        Internals::engine(loop).pause(*this);  // the next receive is a large one
    }
}

// A stream that fills one small buffer after the other gets large ones, which leave in fewer and larger sends, until it has little to say.
void ReceiveState::measure(std::size_t size) {
    if (!may_stream() || (in_bulk() ? size <= loop.options().buffer_bytes : size != pool->buffer_bytes())) {
        full = 0;
    } else if (full < kStreaming) {
        ++full;
    }
}

bool ReceiveState::in_bulk() const { return pool == &Internals::bulk_pool(loop); }

void ReceiveState::choose_pool() {
    if (!datagram && inbox.empty()) {
        BufferPool& bulk = Internals::bulk_pool(loop);
        pool = full == kStreaming && may_stream() && bulk.available() ? &bulk : &Internals::stream_pool(loop);
    }
}

void ReceiveState::end(int why) {
    if (!closed && !ended) {
        ended = true;
        error = why;
        notify();
    }
}

void ReceiveState::fail(int why) {
    if (!closed && !ended) {
        error = why;
        notify();
    }
}

void ReceiveState::revive() {
    if (wants()) {
        Internals::engine(loop).receive(*this);
        return;
    }
    pool->revive_another();  // this one does not need it any more
}

SocketState::SocketState(Loop& owner, BufferPool& buffers, int descriptor)
    : ReceiveState(owner, buffers, descriptor), deadline(*this) {}

SocketState::Deadline::Deadline(SocketState& owner)
    : Timer([](Timer& timer) { static_cast<Deadline&>(timer).socket.expire(); }), socket(owner) {}

void SocketState::notify() {
    if (reader != nullptr && reader->waiting()) {
        receive_until = kNever;
        reader->finish(0);
    } else if (hook != nullptr) {
        receive_until = kNever;
        std::exchange(hook, nullptr)->disturbed(ended ? error : 0);  // may close this socket
    }
}

void SocketState::sent(int why) {
    send_until = kNever;
    if (SendWait* wait = std::exchange(writer, nullptr)) {
        wait->finish(why);
    }
}

void SocketState::connected(int why) {
    send_until = kNever;
    connecting = false;
    if (ConnectWait* wait = std::exchange(connector, nullptr)) {
        wait->finish(why);
    }
}

Received SocketState::pop() {
    if (!unread.empty()) {
        return {std::move(unread), 0};
    }
    if (!inbox.empty()) {
        const std::uint8_t record = next_record();
        return {pop_inbox(), 0, record};
    }
    return {Buffer(), ended ? error : std::exchange(error, 0)};
}

Buffer SocketState::pop_inbox() {
    Buffer buffer = inbox.pop(*pool);
    if (datagram) {
        buffer.remove_prefix(sizeof(DatagramHeader));
    } else if (records) {
        buffer.remove_prefix(kRecordHead);
    }
    return buffer;
}

std::uint8_t SocketState::next_record() {
    if (!records || header_of(*pool, inbox.front()).control_size < CMSG_LEN(1)) {
        return 0;
    }
    return *CMSG_DATA(reinterpret_cast<cmsghdr*>(pool->data(inbox.front()) + sizeof(DatagramHeader)));
}

void SocketState::expire() {
    const Time now = loop.now();
    if (now >= send_until) {
        send_until = kNever;
        if (connector != nullptr) {
            connector->cancel(ETIMEDOUT);
        } else if (writer != nullptr) {
            writer->cancel(ETIMEDOUT);
        }
    }
    if (now >= receive_until) {
        receive_until = kNever;
        if (reader != nullptr) {
            reader->cancel(ETIMEDOUT);
        } else if (hook != nullptr) {
            std::exchange(hook, nullptr)->disturbed(ETIMEDOUT);
        }
    }
    const Time later = std::min(send_until, receive_until);
    if (!closed && later != kNever) {
        loop.timers().arm(deadline, later);
    }
}

void SocketState::close() {
    closed = true;
    loop.timers().disarm(deadline);
    unlink();
    hook = nullptr;
    unread.reset();
    inbox.clear(*pool);
    if (reader != nullptr) {
        std::exchange(reader, nullptr)->abandon();
    }
    if (writer != nullptr) {
        writer->cancel(ECANCELED);
    }
    for (ReadyWait* const wait : {ready_reader, ready_writer}) {
        if (wait != nullptr) {
            wait->cancel(ECANCELED);
        }
    }
    Internals::sockets(loop)--;
    if (accepted) {
        Internals::accepted(loop)--;
        Internals::resume_listeners(loop);
    }
    Internals::engine(loop).close(*this);
}

void SocketState::make_nonblocking() {
    if (!std::exchange(nonblocking, true)) {
        ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    }
}

// ---- Socket --------------------------------------------------------------------------------------------------------------

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
    return state_->full == kStreaming && untouched();
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

// ---- waits ---------------------------------------------------------------------------------------------------------------

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
