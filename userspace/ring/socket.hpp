// SPDX-License-Identifier: Apache-2.0
// Sockets of a loop and what a coroutine can wait for on them. Errors are errno values (0 is success), never exceptions.
// Back-pressure: without a reader at most a few buffers are received ahead (Options::inbox_buffers), then the kernel's
// window closes. One coroutine may receive and one may send at a time. Deadlines end a wait with ETIMEDOUT, a cancelled scope
// with its error; after an interrupted send it is unknown how much was sent, so only close() is left.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "userspace/base/fd.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/ring/buffer.hpp"
#include "userspace/ring/scope.hpp"
#include "userspace/ring/timer.hpp"

namespace penstock::ring {

class Loop;
class Pipe;
struct SocketState;    // of a stream or a connected datagram socket
struct ListenerState;
struct PortState;      // of an unconnected datagram socket

// Bytes, or the end of the stream (no bytes, error 0), or an error. A connected datagram socket gives one datagram each, and
// its errors (ECONNREFUSED) do not end it.
struct Received {
    Buffer buffer;
    int error = 0;
    std::uint8_t record = 0;  // the type of the TLS record that the bytes are (a part) of, once the kernel reads records
    explicit operator bool() const { return error == 0 && !buffer.empty(); }
    [[nodiscard]] bool ended() const { return error == 0 && buffer.empty(); }
};

// Base of what is awaited: adapts coroutine handles of any promise that knows its scope.
class Awaitable : public Waiter {
public:
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> who) {
        return start(who.promise().scope(), who);
    }

protected:
    ~Awaitable() = default;
    // Starts the operation. False: it is over already, do not suspend.
    virtual bool start(Scope& scope, std::coroutine_handle<> who) = 0;
};

class ReceiveWait final : public Awaitable {
public:
    ReceiveWait(SocketState& socket, Time deadline) : socket_(&socket), deadline_(deadline) {}
    ~ReceiveWait();
    Received await_resume();
    void abandon();  // the socket was closed under it

private:
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    SocketState* socket_;
    Time deadline_;
};

// Ends when all bytes were taken by the kernel or with an error. The bytes must stay until then.
class SendWait final : public Awaitable {
public:
    SendWait(SocketState& socket, std::span<const std::uint8_t> bytes, Time deadline)
        : socket_(&socket), deadline_(deadline), one_{const_cast<std::uint8_t*>(bytes.data()), bytes.size()}, parts_(&one_, 1) {}
    SendWait(SocketState& socket, std::span<iovec> parts, Time deadline)
        : socket_(&socket), deadline_(deadline), parts_(parts) {}
    // One record of that type.
    SendWait(SocketState& socket, std::uint8_t record, std::span<const std::uint8_t> bytes, Time deadline);
    SendWait(const SendWait&) = delete;
    ~SendWait();
    int await_resume() const { return error_; }

    // For the loop's engines: drops `count` sent bytes. True: nothing is left.
    bool advance(std::size_t count);
    [[nodiscard]] std::span<iovec> parts() const { return parts_; }
    msghdr message = {};

private:
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    SocketState* socket_;
    Time deadline_;
    iovec one_ = {};
    std::span<iovec> parts_;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(1)> control_;  // in use if `message` says so
};

// A descriptor, or a socket of the loop, can be read or written without waiting.
class alignas(16) ReadyWait final : public Awaitable {
public:
    enum class For : std::uint8_t { reading, writing };
    // The descriptor stays the caller's and must live until the wait ends. For reading.
    ReadyWait(Loop& loop, int fd, Time deadline);
    ReadyWait(SocketState& socket, For what, Time deadline);
    ReadyWait(const ReadyWait&) = delete;
    ~ReadyWait();
    int await_resume() const { return error_; }  // 0: ready, or hung up: try to know

    // For the loop's engines.
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] SocketState* socket() const { return socket_; }  // null for a foreign descriptor
    [[nodiscard]] For what() const { return what_; }
    [[nodiscard]] int cancel_error() const { return cancel_error_; }
    bool ready = false;  // io_uring: seen; the poll is being taken back

private:
    struct Deadline : Timer {
        explicit Deadline(ReadyWait& owner);
        ReadyWait& wait;
    };
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    Loop& loop_;
    SocketState* socket_ = nullptr;
    int fd_;
    For what_ = For::reading;
    int cancel_error_ = 0;
    Time until_;
    Deadline deadline_;
};

// Told once when a parked socket is not quiet any more: bytes, the end, an error (`error` 0 for the first two) or ETIMEDOUT.
// Called by the loop, outside of any coroutine; it may close the socket. The socket is not parked any more.
class IdleHook {
public:
    virtual void disturbed(int error) = 0;

protected:
    ~IdleHook() = default;
};

// A connected socket, owned. Moves only; closes when it dies. A default one is "none".
class Socket {
public:
    Socket() = default;
    explicit Socket(SocketState& state) : state_(&state) {}  // for the loop
    Socket(Socket&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Socket& operator=(Socket&& other) noexcept;
    ~Socket() { close(); }

    [[nodiscard]] bool open() const { return state_ != nullptr; }
    [[nodiscard]] int fd() const;  // for getsockopt and the like; still owned here
    [[nodiscard]] Loop& loop() const;

    // co_await: Received. At once if bytes wait here.
    [[nodiscard]] ReceiveWait receive(Time deadline = kNever) { return {*state_, deadline}; }
    // What has arrived already, without waiting: bytes, or nothing at all (not even the end). For gathering several buffers. Of
    // records, data only.
    [[nodiscard]] Buffer take();
    // Puts bytes back in front: the next receive gives them first. At most one buffer.
    void unread(Buffer buffer);

    // co_await: int, 0 or errno. Nothing is sent for an empty span.
    [[nodiscard]] SendWait send(std::span<const std::uint8_t> bytes, Time deadline = kNever) {
        return {*state_, bytes, deadline};
    }
    [[nodiscard]] SendWait send(std::string_view text, Time deadline = kNever) {
        return {*state_, std::span(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()), deadline};
    }
    // Several pieces in order. The array is used up: it and what it names must stay until the end of the send.
    [[nodiscard]] SendWait send(std::span<iovec> parts, Time deadline = kNever) { return {*state_, parts, deadline}; }

    // ---- kTLS: the kernel makes the records, or reads them ---------------------------------------------------------------------
    // From now on one receive at a time, only for a reader, of at most `most` bytes: what is not asked for stays with the kernel.
    // 0: as many bytes as come, ahead of the reader.
    void limit_receives(std::uint32_t most);
    // No byte was received that nobody took, and no receive is with the kernel.
    [[nodiscard]] bool untouched() const;
    // The keys for reading are with the kernel. Only while untouched().
    void receives_records();
    // The keys for writing are. Only while nothing is being sent.
    void sends_records();
    // A record that is no data, after sends_records().
    [[nodiscard]] SendWait send_record(std::uint8_t type, std::span<const std::uint8_t> bytes, Time deadline = kNever) {
        return {*state_, type, bytes, deadline};
    }

    // ---- splicing: bytes go from the kernel to the kernel -----------------------------------------------------------------------
    // The peer says much, and all that was received was taken: the next bytes may be pulled. Receiving and sending go on beside it as ever.
    [[nodiscard]] bool streams() const;
    // As Pipe::fill and Pipe::empty. What ends the stream is told by the next receive, too.
    std::ptrdiff_t pull(Pipe& into, std::size_t most);
    std::ptrdiff_t push(Pipe& from);
    // co_await: 0 or errno. One at a time for each.
    [[nodiscard]] ReadyWait ready(ReadyWait::For what, Time deadline = kNever) { return {*state_, what, deadline}; }

    // Hands a datagram to the kernel and forgets it (connected datagram sockets). False: too many are on their way; dropped.
    bool post(Buffer datagram);

    // No more sends; the peer sees the end of the stream after what was sent. 0 or errno.
    int shutdown_send();
    // Ends the waits of others on this socket with ECANCELED and closes it. Memory of a send in flight must stay until that
    // send has returned. With unread bytes received the kernel resets the connection: read to the end first if it matters.
    void close();
    // The peer sees a reset.
    void abort();

    // An idle connection (a pool's): nobody receives; the hook hears of bytes, end and deadline.
    void park(IdleHook& hook, Time deadline);
    void unpark();
    // Nothing has arrived and the end was not seen: fit for another exchange.
    [[nodiscard]] bool quiet();

    // A system call each; none on failure.
    [[nodiscard]] std::optional<Endpoint> peer() const;
    [[nodiscard]] std::optional<Endpoint> local() const;

private:
    SocketState* state_ = nullptr;
};

// A socket, or why there is none.
struct Opened {
    Socket socket;
    int error = 0;
    explicit operator bool() const { return error == 0; }
};

class ConnectWait final : public Awaitable {
public:
    ConnectWait(SocketState* socket, int error, const Endpoint& to, Time deadline);
    ConnectWait(const ConnectWait&) = delete;
    ~ConnectWait();
    Opened await_resume();

    sockaddr_storage address = {};
    socklen_t address_size = 0;

private:
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    SocketState* socket_;
    Time deadline_;
};

class AcceptWait final : public Awaitable {
public:
    explicit AcceptWait(ListenerState& listener) : listener_(&listener) {}
    ~AcceptWait();
    Opened await_resume();
    void abandon();

private:
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    ListenerState* listener_;
};

// A listening stream socket. Accepts ahead (multishot), but not beyond Options::accepted_max open connections.
class Listener {
public:
    Listener() = default;
    explicit Listener(ListenerState& state) : state_(&state) {}  // for the loop
    Listener(Listener&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Listener& operator=(Listener&& other) noexcept;
    ~Listener() { close(); }

    [[nodiscard]] bool open() const { return state_ != nullptr; }
    // co_await: Opened. After stop(), or when the scope is cancelled: first what was accepted already, then ECANCELED.
    [[nodiscard]] AcceptWait accept() { return AcceptWait(*state_); }
    // Takes no more from the kernel's queue, which others may share. What is accepted already still comes out of accept().
    void stop();
    void close();  // connections accepted and not yet taken are closed
    [[nodiscard]] int fd() const;

private:
    ListenerState* state_ = nullptr;
};

// One datagram of an unconnected socket.
struct Datagram {
    Buffer buffer;
    Endpoint from;
    IpAddress to;  // where it was sent to: the address to answer from
    int error = 0;
    explicit operator bool() const { return error == 0; }
};

class DatagramWait final : public Awaitable {
public:
    DatagramWait(PortState& port, Time deadline) : port_(&port), deadline_(deadline) {}
    ~DatagramWait();
    Datagram await_resume();
    void abandon();

private:
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    PortState* port_;
    Time deadline_;
};

// An unconnected datagram socket that serves many peers.
class Port {
public:
    Port() = default;
    explicit Port(PortState& state) : state_(&state) {}  // for the loop
    Port(Port&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    Port& operator=(Port&& other) noexcept;
    ~Port() { close(); }

    [[nodiscard]] bool open() const { return state_ != nullptr; }
    // co_await: Datagram. Its error may be of one earlier datagram: go on unless it is of the deadline or the scope.
    [[nodiscard]] DatagramWait receive(Time deadline = kNever) { return {*state_, deadline}; }
    // Hands a datagram to the kernel and forgets it; `from` as in Datagram::to. False: too many on their way; dropped.
    bool post(Buffer datagram, const Endpoint& to, const IpAddress& from);
    void close();
    [[nodiscard]] int fd() const;

private:
    PortState* state_ = nullptr;
};

}  // namespace penstock::ring
