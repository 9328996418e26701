// SPDX-License-Identifier: Apache-2.0
// The loop on edge-triggered epoll: for kernels and containers without io_uring.
#include <fcntl.h>
#include <sys/epoll.h>

#include <array>
#include <cstring>

#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {

constexpr int kEventsMax = 512;
constexpr int kAcceptsPerTurn = 64;

enum Tag : std::uintptr_t { kSocket, kListener, kPort, kWait, kWake, kTagMask = 7 };

void* tagged(void* what, Tag tag) { return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(what) | tag); }
template <class T>
T& untagged(void* what) {
    return *reinterpret_cast<T*>(reinterpret_cast<std::uintptr_t>(what) & ~std::uintptr_t{kTagMask});
}

class EpollEngine final : public Engine {
public:
    explicit EpollEngine(Loop& loop) : Engine(loop), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
    Status start() {
        if (!epoll_.valid()) {
            return sys_error("epoll_create1");
        }
        return control(EPOLL_CTL_ADD, wake_fd(), EPOLLIN | EPOLLET, tagged(nullptr, kWake));
    }

    Status add(SocketState& socket) override {
        return control(EPOLL_CTL_ADD, socket.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, tagged(&socket, kSocket));
    }
    Status add(ListenerState& listener) override {
        return control(EPOLL_CTL_ADD, listener.fd.get(), EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, tagged(&listener, kListener));
    }
    Status add(PortState& port) override {
        port.readable = true;
        return control(EPOLL_CTL_ADD, port.fd, EPOLLIN | EPOLLET, tagged(&port, kPort));
    }

    void receive(ReceiveState& from) override;
    void pause(ReceiveState&) override {}  // nothing is read without a reader
    bool quiet(SocketState& socket) override;
    int send(SocketState& socket, SendWait& what) override;
    void cancel_send(SocketState& socket) override { socket.sent(socket.write_error); }
    int connect(SocketState& socket, ConnectWait& to) override;
    void cancel_connect(SocketState& socket) override { socket.connected(socket.write_error); }
    void close(SocketState& socket) override {
        drop(socket.fd);
        ::close(socket.fd);
        Internals::bury(loop_, socket);
    }

    void accept(ListenerState& listener) override;
    void stop(ListenerState&) override {}
    void close(ListenerState& listener) override {
        drop(listener.fd.get());
        dead_listeners_.push_back(&listener);
    }
    void close(PortState& port) override {
        drop(port.fd);
        dead_ports_.push_back(&port);
    }
    bool post(Posting& what) override;

    void watch(ReadyWait& wait) override;
    void unwatch(ReadyWait& wait) override;

    void turn(Time until) override;
    ~EpollEngine() override { forget_dead(); }

private:
    Status control(int operation, int fd, std::uint32_t events, void* data) {
        epoll_event event{};
        event.events = events;
        event.data.ptr = data;
        return ::epoll_ctl(epoll_.get(), operation, fd, &event) == 0 ? success() : Status(sys_error("epoll_ctl"));
    }
    // Not left to close(): another process may hold the same open file.
    void drop(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }
    int wait(epoll_event* events, Time until);
    void dispatch(const epoll_event& event);
    void socket_event(SocketState& socket, std::uint32_t events);
    static void ready(SocketState& socket, ReadyWait::For what);
    void forget_dead();
    ssize_t read_into(ReceiveState& from, std::uint8_t* data, std::size_t size);
    static ssize_t read_record(int fd, std::uint8_t* data, std::size_t size);

    Fd epoll_;
    bool precise_ = true;  // epoll_pwait2 is there
    std::vector<ListenerState*> dead_listeners_;
    std::vector<PortState*> dead_ports_;
};

// As multishot recvmsg lays it out.
ssize_t EpollEngine::read_record(int fd, std::uint8_t* data, std::size_t size) {
    msghdr message{};
    iovec part{data + kRecordHead, size - kRecordHead};
    message.msg_control = data + sizeof(DatagramHeader);
    message.msg_controllen = kRecordControlBytes;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t n = ::recvmsg(fd, &message, MSG_DONTWAIT);
    if (n < 0) {
        return n;
    }
    const DatagramHeader header{0, static_cast<std::uint32_t>(message.msg_controllen), static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(message.msg_flags)};
    std::memcpy(data, &header, sizeof header);
    return n + static_cast<ssize_t>(kRecordHead);
}

ssize_t EpollEngine::read_into(ReceiveState& from, std::uint8_t* data, std::size_t size) {
    if (from.records) {
        return read_record(from.fd, data, size);
    }
    if (!from.port) {
        const std::size_t head = from.datagram ? sizeof(DatagramHeader) : 0;
        const ssize_t n = ::recv(from.fd, data + head, size - head, MSG_DONTWAIT);
        return n < 0 ? n : n + static_cast<ssize_t>(head);
    }
    msghdr message{};
    iovec part{data + kDatagramHead, size - kDatagramHead};
    message.msg_name = data + sizeof(DatagramHeader);
    message.msg_namelen = kNameBytes;
    message.msg_control = data + sizeof(DatagramHeader) + kNameBytes;
    message.msg_controllen = kControlBytes;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t n = ::recvmsg(from.fd, &message, MSG_DONTWAIT);
    if (n < 0) {
        return n;
    }
    const DatagramHeader header{message.msg_namelen, static_cast<std::uint32_t>(message.msg_controllen),
                                static_cast<std::uint32_t>(n), static_cast<std::uint32_t>(message.msg_flags)};
    std::memcpy(data, &header, sizeof header);
    return n + static_cast<ssize_t>(kDatagramHead);
}

void EpollEngine::receive(ReceiveState& from) {
    if (!from.readable || from.ended) {
        return;
    }
    from.choose_pool();
    const auto id = from.pool->take();
    if (!id) {
        counters().buffer_waits++;
        if (!from.linked()) {
            from.pool->wait(from);
        }
        return;
    }
    const std::size_t size = from.most != 0 ? std::min<std::size_t>(from.most, from.pool->buffer_bytes()) : from.pool->buffer_bytes();
    ssize_t n = 0;
    do {
        n = read_into(from, from.pool->data(*id), size);
    } while (n < 0 && errno == EINTR);
    const int why = n < 0 ? errno : 0;
    if (n > 0) {
        // A short read of a stream means empty, unless its end was announced with the bytes.
        if (!from.datagram && !from.records && static_cast<std::size_t>(n) < size && !from.hangup) {
            from.readable = false;
        }
        from.arrived(*id, static_cast<std::size_t>(n));
        return;
    }
    from.pool->give(*id);
    if (n == 0) {
        from.end(0);
    } else if (why == EAGAIN) {
        from.readable = false;
    } else if (from.datagram) {
        from.fail(why);
    } else {
        from.end(why);
    }
}

bool EpollEngine::quiet(SocketState& socket) {
    return !socket.readable || nothing_waits(socket.fd);
}

int EpollEngine::send(SocketState& socket, SendWait& what) {
    while (socket.writable) {
        what.message.msg_iov = what.parts().data();
        what.message.msg_iovlen = std::min<std::size_t>(what.parts().size(), 1024);
        const ssize_t n = ::sendmsg(socket.fd, &what.message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            socket.writable = false;
        } else if (n < 0 && errno != EINTR) {
            return errno;
        } else if (n >= 0 && what.advance(static_cast<std::size_t>(n))) {
            return 0;
        }
    }
    return kPending;
}

int EpollEngine::connect(SocketState& socket, ConnectWait& to) {
    const int flags = ::fcntl(socket.fd, F_GETFL);
    ::fcntl(socket.fd, F_SETFL, flags | O_NONBLOCK);
    const int result = ::connect(socket.fd, reinterpret_cast<const sockaddr*>(&to.address), to.address_size);
    if (result == 0) {
        socket.writable = true;
        return 0;
    }
    return errno == EINPROGRESS ? kPending : errno;
}

void EpollEngine::accept(ListenerState& listener) {
    for (int i = 0; i < kAcceptsPerTurn && listener.readable && !listener.full(); i++) {
        const int fd = ::accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) {
            listener.accepted(fd);
        } else if (errno == EAGAIN) {
            listener.readable = false;
        } else {
            listener.failed(errno);
            return;
        }
    }
}

bool EpollEngine::post(Posting& what) {
    const ssize_t n = ::sendmsg(what.owner->fd, &what.message, MSG_DONTWAIT | MSG_NOSIGNAL);
    const bool full = n < 0 && (errno == EAGAIN || errno == ENOBUFS);
    if (full) {
        counters().datagrams_dropped++;
    } else if (n < 0 && !what.owner->port) {
        what.owner->fail(errno);
    }
    posted(what);
    return !full;
}

void EpollEngine::watch(ReadyWait& wait) {
    if (SocketState* const socket = wait.socket()) {  // whose events come anyway
        if (wait.what() == ReadyWait::For::reading ? socket->readable : socket->writable) {
            ready(*socket, wait.what());
        }
        return;
    }
    if (const Status watched = control(EPOLL_CTL_ADD, wait.fd(), EPOLLIN, tagged(&wait, kWait)); !watched.ok()) {
        wait.finish(watched.error().sys_errno);
    }
}

void EpollEngine::unwatch(ReadyWait& wait) {
    if (SocketState* const socket = wait.socket()) {
        socket->ready_wait(wait.what()) = nullptr;
    } else {
        drop(wait.fd());
    }
    wait.finish(wait.cancel_error());
}

void EpollEngine::ready(SocketState& socket, ReadyWait::For what) {
    if (ReadyWait* const wait = std::exchange(socket.ready_wait(what), nullptr)) {
        wait->finish(0);
    }
}

void EpollEngine::socket_event(SocketState& socket, std::uint32_t events) {
    if (socket.closed) {
        return;
    }
    if (socket.connecting && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
        int why = 0;
        socklen_t size = sizeof why;
        ::getsockopt(socket.fd, SOL_SOCKET, SO_ERROR, &why, &size);
        socket.connected(why);
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        socket.readable = true;
        socket.hangup = socket.hangup || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
        ready(socket, ReadyWait::For::reading);
        if (socket.wants()) {
            receive(socket);
        }
    }
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0 && !socket.closed) {
        socket.writable = true;
        ready(socket, ReadyWait::For::writing);
        if (socket.writer != nullptr) {
            if (const int result = send(socket, *socket.writer); result != kPending) {
                socket.sent(result);
            }
        }
    }
}

void EpollEngine::dispatch(const epoll_event& event) {
    void* what = event.data.ptr;
    switch (reinterpret_cast<std::uintptr_t>(what) & kTagMask) {
        case kSocket: socket_event(untagged<SocketState>(what), event.events); break;
        case kListener: {
            auto& listener = untagged<ListenerState>(what);
            listener.readable = true;
            if (!listener.closed && !listener.stopped && listener.waiter != nullptr) {
                accept(listener);
            }
            break;
        }
        case kPort: {
            auto& port = untagged<PortState>(what);
            port.readable = true;
            if (port.wants()) {
                receive(port);
            }
            break;
        }
        case kWait: {
            auto& wait = untagged<ReadyWait>(what);
            drop(wait.fd());
            wait.finish(0);
            break;
        }
        default: {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto n = ::read(wake_fd(), &count, sizeof count);
        }
    }
}

int EpollEngine::wait(epoll_event* events, Time until) {
    const auto left = until == kNever ? Duration(-1) : left_until(until);
    if (precise_) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
        const timespec span{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
        const int n = ::epoll_pwait2(epoll_.get(), events, kEventsMax, until == kNever ? nullptr : &span, nullptr);
        if (n >= 0 || errno != ENOSYS) {
            return n;
        }
        precise_ = false;
    }
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return ::epoll_wait(epoll_.get(), events, kEventsMax, static_cast<int>(std::min<long>(ms, 3600 * 1000)));
}

void EpollEngine::forget_dead() {
    for (ListenerState* listener : std::exchange(dead_listeners_, {})) {
        Internals::forget(loop_, *listener);
    }
    for (PortState* port : std::exchange(dead_ports_, {})) {
        Internals::forget(loop_, *port);
    }
}

void EpollEngine::turn(Time until) {
    if (!dead_listeners_.empty() || !dead_ports_.empty()) {
        forget_dead();
    }
    std::array<epoll_event, kEventsMax> events;  // not initialised: the kernel says how many it filled
    const int n = wait(events.data(), until);
    set_now(Clock::now());
    for (int i = 0; i < n; i++) {
        dispatch(events[static_cast<std::size_t>(i)]);
    }
}

}  // namespace

Result<std::unique_ptr<Engine>> make_epoll_engine(Loop& loop) {
    auto engine = std::make_unique<EpollEngine>(loop);
    PST_TRY(engine->start());
    return Result<std::unique_ptr<Engine>>(std::move(engine));
}

}  // namespace penstock::ring
