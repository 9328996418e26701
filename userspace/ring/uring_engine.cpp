// SPDX-License-Identifier: Apache-2.0
// The loop on io_uring, as measured (bench/ring_bench): multishot accept and receive into a buffer ring, every send through
// the ring, one system call per turn, a short wait that gathers completions when there are many. A stream that has much to say is received
// once at a time, into large buffers (ADR 0012).
#include <poll.h>

#include <cstring>

#include "userspace/base/assert.hpp"
#include "userspace/ring/state.hpp"
#include "userspace/ring/uring.hpp"

namespace penstock::ring {

namespace {

constexpr unsigned kEntries = 1024;
constexpr unsigned kWaitMax = 32;
constexpr std::uint16_t kStreamGroup = 0, kDatagramGroup = 1, kBulkGroup = 2;

enum Tag : std::uint64_t { kNone, kReceive, kSend, kConnect, kAccept, kPoll, kPost, kPortReceive, kTagMask = 7 };
constexpr std::uint64_t kWake = 8;  // tag none, no object

template <class T>
std::uint64_t name(T& what, Tag tag) {
    return reinterpret_cast<std::uint64_t>(&what) | tag;
}
template <class T>
T& named(std::uint64_t user_data) {
    return *reinterpret_cast<T*>(user_data & ~std::uint64_t{kTagMask});
}

class UringEngine final : public Engine {
public:
    explicit UringEngine(Loop& loop) : Engine(loop) {}
    ~UringEngine() override { ring_.enter(0, kNever, 0); }  // closes that are queued
    Status start() {
        port_shape_.msg_namelen = kNameBytes;
        port_shape_.msg_controllen = kControlBytes;
        record_shape_.msg_controllen = kRecordControlBytes;
        PST_TRY(ring_.open(kEntries));
        PST_TRY_ASSIGN(io_uring_buf_ring* const buffers, ring_.buffer_ring(loop_.options().buffers, kStreamGroup));
        stream_pool().attach(buffers);
        PST_TRY_ASSIGN(io_uring_buf_ring* const large, ring_.buffer_ring(loop_.options().bulk_buffers, kBulkGroup));
        bulk_pool().attach(large);
        PST_TRY_ASSIGN(datagram_ring_, ring_.buffer_ring(64, kDatagramGroup));
        if (!ring_.waits_on_nonblocking()) {
            loop_.pipes().forbid();
        }
        read_wake();
        return success();
    }

    Status add(SocketState&) override { return success(); }
    Status add(ListenerState&) override { return success(); }
    Status add(PortState&) override { return success(); }
    void add(BufferPool& datagrams) override { datagrams.attach(datagram_ring_); }

    void receive(ReceiveState& from) override;
    void pause(ReceiveState& from) override;
    bool quiet(SocketState& socket) override {
        return (socket.armed && !socket.pausing) || nothing_waits(socket.fd);
    }
    int send(SocketState& socket, SendWait& what) override;
    void cancel_send(SocketState& socket) override { cancel(name(socket, kSend)); }
    int connect(SocketState& socket, ConnectWait& to) override;
    void cancel_connect(SocketState& socket) override { cancel(name(socket, kConnect)); }
    void close(SocketState& socket) override;

    void accept(ListenerState& listener) override;
    void stop(ListenerState& listener) override;
    void close(ListenerState& listener) override;
    void close(PortState& port) override;
    bool post(Posting& what) override;

    void watch(ReadyWait& wait) override;
    void unwatch(ReadyWait& wait) override { cancel(name(wait, kPoll)); }

    void turn(Time until) override;
    bool busy() const override { return closing_ != 0; }

private:
    void read_wake();
    void cancel(std::uint64_t target);
    void submit_send(SocketState& socket);
    void complete(const io_uring_cqe& completion);
    void received(ReceiveState& from, std::uint64_t target, const io_uring_cqe& completion);
    void take_input(ReceiveState& from, const io_uring_cqe& completion);
    void sent(SocketState& socket, int result);
    void connected(SocketState& socket, int result);
    void accepted(ListenerState& listener, const io_uring_cqe& completion);
    void poll(ReadyWait& wait);
    void polled(ReadyWait& wait, const io_uring_cqe& completion);
    void done(Posting& posting, int result);
    void settle(ReceiveState& what);  // frees what is closed and unreferenced
    void settle(ListenerState& listener);

    Uring ring_;
    io_uring_buf_ring* datagram_ring_ = nullptr;
    unsigned wait_ = 1;
    bool bulk_came_ = false;  // in this turn
    msghdr port_shape_ = {}, connected_shape_ = {}, record_shape_ = {};  // room for name and control
    std::size_t closing_ = 0;  // closed objects that the kernel still refers to
    std::uint64_t wake_count_ = 0;
};

void UringEngine::read_wake() {
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_READ;
    sqe.fd = wake_fd();
    sqe.addr = reinterpret_cast<std::uint64_t>(&wake_count_);
    sqe.len = sizeof wake_count_;
    sqe.user_data = kWake;
}

void UringEngine::cancel(std::uint64_t target) {
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_ASYNC_CANCEL;
    sqe.addr = target;
    sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
}

// ---- receiving -----------------------------------------------------------------------------------------------------------

void UringEngine::receive(ReceiveState& from) {
    if (from.armed || from.ended || from.closed) {
        return;  // if it is being paused, its last completion arms it again
    }
    from.choose_pool();
    from.armed = true;
    from.ops++;
    io_uring_sqe& sqe = ring_.entry();
    sqe.fd = from.fd;
    sqe.flags = IOSQE_BUFFER_SELECT;
    // A multishot receive may fill the whole hot set before we can pause it. When buffers are short, one at a time.
    // recvmsg has no other form that tells the sizes in the buffer.
    const bool with_head = from.datagram || from.records;
    sqe.ioprio = with_head || (from.most == 0 && !from.in_bulk() && !from.pool->pressed()) ? IORING_RECV_MULTISHOT : 0;
    sqe.buf_group = from.datagram ? kDatagramGroup : from.in_bulk() ? kBulkGroup : kStreamGroup;
    sqe.user_data = name(from, from.port ? kPortReceive : kReceive);
    sqe.opcode = IORING_OP_RECV;
    sqe.len = from.most;
    if (with_head) {
        sqe.opcode = IORING_OP_RECVMSG;
        sqe.addr = reinterpret_cast<std::uint64_t>(from.port ? &port_shape_ : from.records ? &record_shape_ : &connected_shape_);
        sqe.len = 1;
    }
}

void UringEngine::pause(ReceiveState& from) {
    from.pausing = true;
    cancel(name(from, from.port ? kPortReceive : kReceive));
}

void UringEngine::take_input(ReceiveState& from, const io_uring_cqe& completion) {
    const int result = completion.res;
    if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
        const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
        from.pool->taken_by_kernel(id);
        if (result > 0) {
            from.arrived(id, static_cast<std::size_t>(result));
            return;
        }
        from.pool->give(id);
    }
    if (result == 0 && !from.datagram) {
        from.end(0);
    } else if (result < 0 && result != -ENOBUFS && result != -ECANCELED && result != -EINTR && result != -EAGAIN && result != -EKEYEXPIRED) {
        // The last of these: behind a KeyUpdate the kernel reads nothing until whoever read that has brought the next key.
        from.datagram ? from.fail(-result) : from.end(-result);
    }
}

void UringEngine::received(ReceiveState& from, std::uint64_t, const io_uring_cqe& completion) {
    const bool last = (completion.flags & IORING_CQE_F_MORE) == 0;
    if (last) {
        from.armed = from.pausing = false;  // `ops` goes down below: what follows may close the object
    }
    bulk_came_ = bulk_came_ || from.in_bulk();
    take_input(from, completion);
    if (!last) {
        return;
    }
    from.ops--;
    if (from.wants()) {
        // ENOBUFS can arrive when all buffers are back already: waiting for a return would then be for ever.
        if (completion.res != -ENOBUFS || from.in_bulk() || from.pool->available()) {
            receive(from);
        } else if (!from.linked()) {
            counters().buffer_waits++;
            from.pool->wait(from);
        }
    }
    settle(from);
}

// ---- sending and connecting ----------------------------------------------------------------------------------------------

int UringEngine::send(SocketState& socket, SendWait& what) {
    socket.writer = &what;
    socket.ops++;
    submit_send(socket);
    return kPending;
}

void UringEngine::submit_send(SocketState& socket) {
    SendWait& what = *socket.writer;
    io_uring_sqe& sqe = ring_.entry();
    sqe.fd = socket.fd;
    sqe.msg_flags = MSG_NOSIGNAL;
    if (!socket.seals) {
        sqe.msg_flags |= MSG_WAITALL;  // which kTLS refuses
    }
    sqe.user_data = name(socket, kSend);
    const auto parts = what.parts();
    if (parts.size() == 1 && what.message.msg_control == nullptr) {
        sqe.opcode = IORING_OP_SEND;
        sqe.addr = reinterpret_cast<std::uint64_t>(parts.front().iov_base);
        sqe.len = static_cast<std::uint32_t>(std::min<std::size_t>(parts.front().iov_len, 1U << 30));
        return;
    }
    what.message.msg_iov = parts.data();
    what.message.msg_iovlen = std::min<std::size_t>(parts.size(), 1024);
    sqe.opcode = IORING_OP_SENDMSG;
    sqe.addr = reinterpret_cast<std::uint64_t>(&what.message);
    sqe.len = 1;
}

void UringEngine::sent(SocketState& socket, int result) {
    SendWait& what = *socket.writer;
    const bool all = result > 0 && what.advance(static_cast<std::size_t>(result));
    if (!all && (result > 0 || result == -EINTR || result == -EAGAIN) && socket.write_error == 0) {
        submit_send(socket);
        return;
    }
    socket.ops--;
    socket.sent(all ? 0 : socket.write_error != 0 ? socket.write_error : result < 0 ? -result : EPIPE);
    settle(socket);
}

int UringEngine::connect(SocketState& socket, ConnectWait& to) {
    socket.ops++;
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_CONNECT;
    sqe.fd = socket.fd;
    sqe.addr = reinterpret_cast<std::uint64_t>(&to.address);
    sqe.off = to.address_size;
    sqe.user_data = name(socket, kConnect);
    return kPending;
}

void UringEngine::connected(SocketState& socket, int result) {
    socket.ops--;
    socket.connected(socket.write_error != 0 ? socket.write_error : -result);
    settle(socket);
}

// ---- closing -------------------------------------------------------------------------------------------------------------

void UringEngine::close(SocketState& socket) {
    if (socket.armed && !socket.pausing) {
        socket.pausing = true;
        cancel(name(socket, kReceive));
    }
    closing_++;
    settle(socket);
}

void UringEngine::settle(ReceiveState& what) {
    if (!what.closed || what.ops != 0 || what.settled) {
        return;
    }
    what.settled = true;
    closing_--;
    if (what.port) {
        Internals::forget(loop_, static_cast<PortState&>(what));
        return;
    }
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_CLOSE;
    sqe.fd = what.fd;
    sqe.flags = IOSQE_CQE_SKIP_SUCCESS;
    Internals::bury(loop_, static_cast<SocketState&>(what));
}

void UringEngine::close(PortState& port) {
    if (port.armed && !port.pausing) {
        port.pausing = true;
        cancel(name<ReceiveState>(port, kPortReceive));
    }
    closing_++;
    settle(port);
}

// ---- accepting -----------------------------------------------------------------------------------------------------------

void UringEngine::accept(ListenerState& listener) {
    if (listener.armed) {
        return;
    }
    listener.armed = true;
    listener.ops++;
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_ACCEPT;
    sqe.fd = listener.fd.get();
    sqe.ioprio = IORING_ACCEPT_MULTISHOT;
    sqe.accept_flags = SOCK_CLOEXEC;
    sqe.user_data = name(listener, kAccept);
}

void UringEngine::stop(ListenerState& listener) {
    if (listener.armed && !listener.pausing) {
        listener.pausing = true;
        cancel(name(listener, kAccept));
    }
}

void UringEngine::close(ListenerState& listener) {
    stop(listener);
    closing_++;
    settle(listener);
}

void UringEngine::settle(ListenerState& listener) {
    if (listener.closed && listener.ops == 0) {
        closing_--;
        Internals::forget(loop_, listener);
    }
}

void UringEngine::accepted(ListenerState& listener, const io_uring_cqe& completion) {
    const bool last = (completion.flags & IORING_CQE_F_MORE) == 0;
    if (last) {
        listener.armed = listener.pausing = false;
        listener.ops--;
    }
    if (completion.res >= 0) {
        listener.accepted(completion.res);
    } else {
        listener.failed(-completion.res);
    }
    if (!last) {
        return;
    }
    if (listener.closed) {
        settle(listener);
    } else if (listener.stopped) {
        listener.idle();
    } else if (!listener.retry.armed()) {
        listener.resume();
    }
}

// ---- datagrams, readiness ------------------------------------------------------------------------------------------------

bool UringEngine::post(Posting& what) {
    what.owner->ops++;
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_SENDMSG;
    sqe.fd = what.owner->fd;
    sqe.addr = reinterpret_cast<std::uint64_t>(&what.message);
    sqe.len = 1;
    sqe.msg_flags = MSG_NOSIGNAL;
    sqe.user_data = name(what, kPost);
    return true;
}

void UringEngine::done(Posting& posting, int result) {
    ReceiveState& owner = *posting.owner;
    posted(posting);
    owner.ops--;
    if (result < 0 && !owner.port) {
        owner.fail(-result);
    }
    settle(owner);
}

void UringEngine::watch(ReadyWait& wait) {
    if (SocketState* const socket = wait.socket()) {
        socket->ops++;
    }
    poll(wait);
}

// The ring asks for POLLRDHUP on its own account, which a peer that has sent its end shows for ever. Who waits for room polls for as long as it
// takes, is told of that once, and takes the poll back in the end.
void UringEngine::poll(ReadyWait& wait) {
    const bool reading = wait.what() == ReadyWait::For::reading;
    io_uring_sqe& sqe = ring_.entry();
    sqe.opcode = IORING_OP_POLL_ADD;
    sqe.fd = wait.fd();
    sqe.poll32_events = reading ? POLLIN | POLLRDHUP : POLLOUT;
    sqe.len = reading ? 0 : IORING_POLL_ADD_MULTI;
    sqe.user_data = name(wait, kPoll);
}

void UringEngine::polled(ReadyWait& wait, const io_uring_cqe& completion) {
    const int result = completion.res;
    if (wait.what() == ReadyWait::For::writing) {
        const bool room = result > 0 && (result & (POLLOUT | POLLERR | POLLHUP)) != 0;
        if ((completion.flags & IORING_CQE_F_MORE) != 0) {
            if (room && !std::exchange(wait.ready, true) && wait.cancel_error() == 0) {
                cancel(name(wait, kPoll));
            }
            return;
        }
        if (result > 0 && !room && !wait.ready && wait.cancel_error() == 0) {
            poll(wait);
            return;
        }
    }
    SocketState* const socket = wait.socket();
    if (socket != nullptr) {
        socket->ready_wait(wait.what()) = nullptr;
        socket->ops--;
        bulk_came_ = true;
    }
    wait.finish(wait.cancel_error() != 0 ? wait.cancel_error() : result < 0 && !wait.ready ? -result : 0);
    if (socket != nullptr) {
        settle(*socket);
    }
}

// ---- the turn ------------------------------------------------------------------------------------------------------------

void UringEngine::complete(const io_uring_cqe& completion) {
    const std::uint64_t what = completion.user_data;
    switch (what & kTagMask) {
        case kReceive: received(named<SocketState>(what), what, completion); break;
        case kPortReceive: received(named<PortState>(what), what, completion); break;
        case kSend: sent(named<SocketState>(what), completion.res); break;
        case kConnect: connected(named<SocketState>(what), completion.res); break;
        case kAccept: accepted(named<ListenerState>(what), completion); break;
        case kPoll: polled(named<ReadyWait>(what), completion); break;
        case kPost: done(named<Posting>(what), completion.res); break;
        default:
            if (what == kWake) {
                read_wake();
            }
    }
}

void UringEngine::turn(Time until) {
    // A lone connection never waits for company.
    const bool now = until <= loop_.now();
    ring_.enter(now ? 0 : wait_, until, loop_.options().min_wait_us);
    set_now(Clock::now());
    const unsigned count = ring_.drain([this](const io_uring_cqe& completion) { complete(completion); });
    // Nor does a stream: what it has waiting in its socket is company enough.
    wait_ = ring_.has_min_wait() && !std::exchange(bulk_came_, false) ? std::clamp(count, 1U, kWaitMax) : 1;
    if (ring_.overflown()) {
        counters().overflows++;
    }
}

}  // namespace

Result<std::unique_ptr<Engine>> make_uring_engine(Loop& loop) {
    auto engine = std::make_unique<UringEngine>(loop);
    PST_TRY(engine->start());
    return Result<std::unique_ptr<Engine>>(std::move(engine));
}

}  // namespace penstock::ring
