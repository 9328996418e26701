// SPDX-License-Identifier: Apache-2.0
#include "userspace/ring/loop.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>

#include <csignal>

#include "userspace/base/assert.hpp"
#include "userspace/base/log.hpp"
#include "userspace/ring/state.hpp"

namespace penstock::ring {

namespace {

constexpr unsigned kDatagramBufferBytes = 66 * 1024;  // the longest datagram and what precedes it in the buffer
constexpr unsigned kDatagramBuffers = 64;
constexpr unsigned kDatagramBuffersMax = 2048;

// A task without a caller: starts at once, frees itself.
struct Spawned {
    struct promise_type : PromiseBase {
        promise_type(Loop&, Scope& scope, std::size_t&, Task<>&) { set_scope(&scope); }
        Spawned get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
    };
};

Spawned run_spawned(Loop&, Scope&, std::size_t& running, Task<> task) {
    running++;
    co_await std::move(task);
    running--;
}

void set_flag(int fd, int level, int name) {
    const int on = 1;
    ::setsockopt(fd, level, name, &on, sizeof on);
}

int socket_option(int fd, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace

std::string_view to_string(Kind kind) {
    switch (kind) {
        case Kind::automatic: return "automatic";
        case Kind::io_uring: return "io_uring";
        case Kind::epoll: return "epoll";
    }
    return "?";
}

Loop::Loop(const Options& options) : options_(options), pipes_(options.pipes_max, options.pipe_bytes) {}

Result<std::unique_ptr<Loop>> Loop::create(const Options& options) {
    std::unique_ptr<Loop> loop(new Loop(options));
    PST_TRY(loop->start());
    return loop;
}

void Loop::make_pools() {
    pool_ = std::make_unique<BufferPool>(options_.buffer_bytes, options_.buffers, options_.buffers_max);
    bulk_pool_ = std::make_unique<BufferPool>(options_.bulk_bytes, options_.bulk_buffers, options_.bulk_buffers_max);
}

Status Loop::start() {
    root_.reset(new Scope(*this, Scope::Root{}));
    make_pools();
    struct sigaction broken_pipe {};
    if (::sigaction(SIGPIPE, nullptr, &broken_pipe) != 0 || broken_pipe.sa_handler == SIG_DFL) {
        pipes_.forbid();
    }
    wake_ = Fd(::eventfd(0, EFD_CLOEXEC));
    if (!wake_.valid()) {
        return sys_error("eventfd");
    }
    if (options_.kind != Kind::epoll) {
        auto engine = make_uring_engine(*this);
        if (engine.ok()) {
            kind_ = Kind::io_uring;
            reason_ = options_.kind == Kind::io_uring ? "asked for" : "io_uring works here";
            engine_ = std::move(*engine);
            return success();
        }
        if (options_.kind == Kind::io_uring) {
            return std::move(engine).error().in("create an io_uring loop");
        }
        const Error& why = engine.error();
        reason_ = why.message() + (why.hint.empty() ? "" : "; " + why.hint);
        make_pools();
    } else {
        reason_ = "asked for";
    }
    kind_ = Kind::epoll;
    PST_TRY_ASSIGN(engine_, make_epoll_engine(*this));
    return success();
}

Status Loop::probe_io_uring() {
    auto loop = create(Options{.kind = Kind::io_uring});
    return loop.ok() ? success() : Status(std::move(loop).error());
}

Loop::~Loop() {
    // Closed sockets whose operations are still with the kernel are waited for, briefly; the rest goes with the engine.
    for (int i = 0; i < 100 && engine_ != nullptr && engine_->busy(); i++) {
        engine_->turn(Clock::now() + std::chrono::milliseconds(10));
        bury();
    }
    engine_.reset();
    bury();
    root_.reset();
}

void Loop::turn(Time until) {
    if (ready_first_ != nullptr) {
        until = Time::min();
    }
    engine_->turn(std::min(until, timers_.next()));
    immediate_ = 0;
    counters_.turns++;
    timers_.run(now_);
    run_posted();
    resume_ready();
    bury();
}

void Loop::resume_ready() {
    Waiter* waiter = std::exchange(ready_first_, nullptr);
    ready_last_ = &ready_first_;
    while (waiter != nullptr) {
        Waiter* next = waiter->ready_next_;
        waiter->who_.resume();
        waiter = next;
    }
}

void Loop::run_posted() {
    if (!has_posted_.load(std::memory_order_acquire)) {
        return;
    }
    std::vector<std::function<void()>> work;
    {
        const std::lock_guard lock(posted_mutex_);
        work.swap(posted_);
        has_posted_.store(false, std::memory_order_release);
    }
    for (auto& what : work) {
        what();
    }
}

void Loop::bury() {
    for (SocketState* socket : graves_) {
        delete socket;
    }
    graves_.clear();
}

std::size_t Loop::run(Duration grace) {
    now_ = Clock::now();
    while (!stopping_.load(std::memory_order_acquire)) {
        turn(kNever);
    }
    root_->cancel();
    const Time give_up = now_ + grace;
    while ((tasks_ != 0 || ready_first_ != nullptr) && now_ < give_up) {
        turn(give_up);
    }
    return tasks_;
}

void Loop::stop() {
    stopping_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Loop::post(std::function<void()> what) {
    {
        const std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(what));
        has_posted_.store(true, std::memory_order_release);
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Loop::spawn(Task<> task, Scope& scope) { run_spawned(*this, scope, tasks_, std::move(task)); }

Result<Listener> Loop::listen(Fd socket) {
    if (socket_option(socket.get(), SO_ACCEPTCONN) != 1) {
        return Error{.code = Errc::invalid, .what = "serve a socket that does not listen"};
    }
    // The description is shared with other processes: non-blocking is what both engines can live with.
    ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK);
    set_flag(socket.get(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it; fails on Unix sockets
    auto state = std::make_unique<ListenerState>(*this, std::move(socket));
    PST_TRY(engine_->add(*state));
    listeners_.push_back(state.get());
    return Listener(*state.release());
}

Result<Port> Loop::bind(Fd socket) {
    if (socket_option(socket.get(), SO_TYPE) != SOCK_DGRAM) {
        return Error{.code = Errc::invalid, .what = "serve a socket that is no datagram socket"};
    }
    if (socket_option(socket.get(), SO_DOMAIN) == AF_INET6) {
        set_flag(socket.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO);
    } else {
        set_flag(socket.get(), IPPROTO_IP, IP_PKTINFO);
    }
    ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
    auto state = std::make_unique<PortState>(*this, Internals::datagram_pool(*this), std::move(socket));
    PST_TRY(engine_->add(*state));
    ports_.push_back(state.get());
    return Port(*state.release());
}

Result<Socket> Loop::adopt(Fd socket) {
    const bool datagram = socket_option(socket.get(), SO_TYPE) == SOCK_DGRAM;
    // io_uring answers EAGAIN on a non-blocking socket instead of waiting; epoll asks per call.
    ::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) & ~O_NONBLOCK);
    int error = 0;
    SocketState* state = Internals::open(*this, socket.release(), datagram, error);
    if (state == nullptr) {
        return sys_error_of(error, "adopt a socket", error == ENFILE ? "sockets_max is reached" : "");
    }
    state->writable = true;
    return Socket(*state);
}

namespace {

Fd outgoing(const Endpoint& to, int type, std::uint32_t mark, int& error) {
    const int domain = to.address.family == Family::v4 ? AF_INET : AF_INET6;
    Fd fd(::socket(domain, type | SOCK_CLOEXEC, 0));
    if (!fd.valid()) {
        error = errno;
        return fd;
    }
    if (mark != 0 && ::setsockopt(fd.get(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
        error = errno;
        return Fd();
    }
    return fd;
}

}  // namespace

ConnectWait Loop::connect(const Endpoint& to, Time deadline, std::uint32_t mark) {
    int error = 0;
    SocketState* state = nullptr;
    Fd fd = outgoing(to, SOCK_STREAM, mark, error);
    if (fd.valid()) {
        set_flag(fd.get(), IPPROTO_TCP, TCP_NODELAY);
        state = Internals::open(*this, fd.release(), false, error);
    }
    return {state, error, to, deadline};
}

Opened Loop::connect_datagram(const Endpoint& to, std::uint32_t mark) {
    int error = 0;
    Fd fd = outgoing(to, SOCK_DGRAM, mark, error);
    if (!fd.valid()) {
        return {Socket(), error};
    }
    sockaddr_storage name{};
    const socklen_t size = to.to_sockaddr(name);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), size) != 0) {
        return {Socket(), errno};
    }
    SocketState* state = Internals::open(*this, fd.release(), true, error);
    if (state == nullptr) {
        return {Socket(), error};
    }
    state->writable = true;
    return {Socket(*state), 0};
}

// ---- Internals -----------------------------------------------------------------------------------------------------------

BufferPool& Internals::datagram_pool(Loop& loop) {
    if (loop.datagram_pool_ == nullptr) {
        loop.datagram_pool_ = std::make_unique<BufferPool>(kDatagramBufferBytes, kDatagramBuffers, kDatagramBuffersMax);
        loop.engine_->add(*loop.datagram_pool_);
    }
    return *loop.datagram_pool_;
}

SocketState* Internals::open(Loop& loop, int fd, bool datagram, int& error) {
    if (loop.sockets_ >= loop.options_.sockets_max) {
        loop.counters_.sockets_refused++;
        error = ENFILE;
        ::close(fd);
        return nullptr;
    }
    auto state = std::make_unique<SocketState>(loop, datagram ? datagram_pool(loop) : *loop.pool_, fd);
    state->datagram = datagram;
    if (const Status added = loop.engine_->add(*state); !added.ok()) {
        error = added.error().sys_errno;
        ::close(fd);
        return nullptr;
    }
    loop.sockets_++;
    return state.release();
}

void Internals::resume_listeners(Loop& loop) {
    if (loop.accepted_ + 1 != loop.options_.accepted_max) {
        return;  // it was not full
    }
    for (ListenerState* listener : loop.listeners_) {
        if (listener->waiter == nullptr) {
            continue;
        }
        listener->resume();
        if (listener->ready()) {
            listener->waiter->finish(0);
        }
    }
}

void Internals::forget(Loop& loop, ListenerState& listener) {
    std::erase(loop.listeners_, &listener);
    delete &listener;
}

void Internals::forget(Loop& loop, PortState& port) {
    std::erase(loop.ports_, &port);
    delete &port;
}

// ---- Engine: postings ----------------------------------------------------------------------------------------------------

Posting* Engine::prepare(ReceiveState& owner, Buffer buffer) {
    if (free_postings_.empty()) {
        if (postings_.size() >= loop_.options().datagrams_max) {
            counters().datagrams_dropped++;
            return nullptr;
        }
        free_postings_.push_back(&postings_.emplace_back());
    }
    Posting* posting = free_postings_.back();
    free_postings_.pop_back();
    posting->owner = &owner;
    posting->buffer = std::move(buffer);
    posting->part = {posting->buffer.data(), posting->buffer.size()};
    posting->message = {};
    posting->message.msg_iov = &posting->part;
    posting->message.msg_iovlen = 1;
    return posting;
}

bool Engine::nothing_waits(int fd) {
    char byte = 0;
    return ::recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

void Engine::posted(Posting& what) {
    what.buffer.reset();
    what.owner = nullptr;
    free_postings_.push_back(&what);
}

}  // namespace penstock::ring
