// SPDX-License-Identifier: Apache-2.0
// Loop: one thread's I/O, timers and coroutines, on io_uring or on edge-triggered epoll, chosen when it is created.
// A loop and all that belongs to it is used by the thread that runs it, but for stop() and post().
//
//   Task<> serve(Socket socket) {
//       for (;;) {
//           Received got = co_await socket.receive(socket.loop().after(10s));
//           if (!got) { co_return; }
//           if (co_await socket.send(got.buffer.bytes()) != 0) { co_return; }
//       }
//   }
//   Task<> accept_all(Loop& loop, Listener listener) {
//       for (;;) {
//           Opened client = co_await listener.accept();
//           if (!client) { co_return; }
//           loop.spawn(serve(std::move(client.socket)));
//       }
//   }
// A coroutine's parameters live as long as it does: pass sockets by value, and by reference only what outlives the task.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/ring/pipe.hpp"
#include "userspace/ring/socket.hpp"
#include "userspace/ring/task.hpp"

namespace penstock::ring {

class Engine;

enum class Kind : std::uint8_t { automatic, io_uring, epoll };
std::string_view to_string(Kind kind);

struct Options {
    Kind kind = Kind::automatic;      // automatic: io_uring, else epoll
    unsigned buffer_bytes = 4096;     // of a stream's receive buffer
    unsigned buffers = 256;           // hot ones; a power of two
    unsigned buffers_max = 16384;     // lent and hot together, <= 65535; 64 MiB
    unsigned bulk_bytes = 65536;      // of a buffer for a stream that fills many small ones in a row
    unsigned bulk_buffers = 8;        // hot ones; a power of two
    unsigned bulk_buffers_max = 256;  // beyond, streams have small ones; 16 MiB
    unsigned pipe_bytes = 262144;     // of a pipe that bytes are spliced through
    unsigned pipes_max = 64;          // beyond, they are received and sent
    unsigned inbox_buffers = 8;       // received ahead per socket; 1 when a quarter of buffers_max is lent
    unsigned sockets_max = 250000;    // connected sockets of this loop
    unsigned accepted_max = 100000;   // of these, accepted ones: beyond, clients wait in the kernel's queue
    unsigned datagrams_max = 4096;    // posted and not yet sent
    unsigned min_wait_us = 50;        // io_uring: gathers completions when the last turn had several
};

struct Counters {
    std::uint64_t turns = 0;
    std::uint64_t accepted = 0;
    std::uint64_t accept_errors = 0;     // out of descriptors or memory; tried again after a pause
    std::uint64_t accept_pauses = 0;     // accepted_max was reached
    std::uint64_t sockets_refused = 0;   // sockets_max was reached
    std::uint64_t buffer_waits = 0;      // a receiver waited for a buffer: buffers_max was reached
    std::uint64_t receive_pauses = 0;    // a reader did not keep up
    std::uint64_t datagrams_dropped = 0; // datagrams_max was reached, or the socket's buffer was full
    std::uint64_t overflows = 0;         // turns in which the completion queue overflowed (nothing is lost)
};

class SleepWait final : public Awaitable {
public:
    SleepWait(Loop& loop, Time until);
    SleepWait(const SleepWait&) = delete;
    ~SleepWait();
    int await_resume() const { return error_; }

private:
    struct Alarm : Timer {
        explicit Alarm(SleepWait& owner);
        SleepWait& wait;
    };
    bool start(Scope& scope, std::coroutine_handle<> who) override;
    void on_cancel(int error) override;
    Loop& loop_;
    Time until_;
    Alarm alarm_;
};

class Loop {
public:
    // Fails with Errc::unsupported or denied and a hint if the kind asked for cannot be had; create it on its own thread.
    static Result<std::unique_ptr<Loop>> create(const Options& options = {});
    // Whether io_uring works here, and if not why: "io_uring_setup: Operation not permitted (EPERM): ...".
    static Status probe_io_uring();
    ~Loop();

    [[nodiscard]] Kind kind() const { return kind_; }  // never automatic
    // Why it is this kind: "io_uring works here", "asked for", or what io_uring lacks.
    [[nodiscard]] const std::string& reason() const { return reason_; }

    // Serves until stop(), then cancels the root scope and returns when all tasks have ended, or after `grace`.
    // The number of tasks that had not ended by then: 0 unless there is a bug.
    std::size_t run(Duration grace = std::chrono::seconds(5));
    // Any thread; also from a signal handler.
    void stop();
    // Runs `what` on the loop's thread. Any thread; allocates.
    void post(std::function<void()> what);

    // The clock's reading of this turn.
    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] Time after(Duration duration) const { return now_ + duration; }
    [[nodiscard]] Timers& timers() { return timers_; }
    [[nodiscard]] Scope& root() { return *root_; }

    // Starts a task at once, up to its first wait. It runs in `scope` (which must outlive it) or the root scope.
    void spawn(Task<> task) { spawn(std::move(task), *root_); }
    void spawn(Task<> task, Scope& scope);
    [[nodiscard]] std::size_t tasks() const { return tasks_; }

    // co_await: 0, or the error of the scope.
    [[nodiscard]] SleepWait sleep_until(Time when) { return {*this, when}; }
    [[nodiscard]] SleepWait sleep(Duration duration) { return {*this, now_ + duration}; }
    // co_await: 0, ETIMEDOUT or the error of the scope.
    [[nodiscard]] ReadyWait readable(int fd, Time deadline = kNever) { return {*this, fd, deadline}; }

    // A listening socket (bound, listening; made non-blocking, TCP_NODELAY set). One Listener per descriptor and loop.
    Result<Listener> listen(Fd socket);
    // A bound datagram socket; asks the kernel for destination addresses (IP_PKTINFO).
    Result<Port> bind(Fd socket);
    // A connected stream or datagram socket made elsewhere. Fails with Errc::limit at sockets_max.
    Result<Socket> adopt(Fd socket);

    // co_await: Opened; ETIMEDOUT after the deadline, ENFILE at sockets_max. `mark`: SO_MARK, 0 for none.
    [[nodiscard]] ConnectWait connect(const Endpoint& to, Time deadline = kNever, std::uint32_t mark = 0);
    // A connected datagram socket; does not wait. `from`: its source address, or nullptr.
    Opened connect_datagram(const Endpoint& to, std::uint32_t mark = 0);

    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] std::size_t sockets() const { return sockets_; }
    [[nodiscard]] unsigned buffers_lent() const { return pool_->lent() + bulk_pool_->lent(); }
    [[nodiscard]] const Options& options() const { return options_; }
    // For splicing; gives none where that cannot be.
    [[nodiscard]] Pipes& pipes() { return pipes_; }

private:
    friend class Waiter;
    friend class Scope;
    friend class Engine;
    friend struct SocketState;
    friend struct ListenerState;
    friend struct PortState;
    friend class Internals;  // the .cpp files of this folder

    explicit Loop(const Options& options);
    void turn(Time until);
    void resume_ready();
    void run_posted();
    void bury();
    Status start();
    void make_pools();

    Options options_;
    Kind kind_ = Kind::automatic;
    std::string reason_;
    Time now_ = Clock::now();
    Timers timers_;
    Counters counters_;
    std::unique_ptr<Scope> root_;
    std::unique_ptr<BufferPool> pool_;           // streams
    std::unique_ptr<BufferPool> bulk_pool_;      // streams that have much to say
    std::unique_ptr<BufferPool> datagram_pool_;  // made with the first datagram socket
    Pipes pipes_;
    std::unique_ptr<Engine> engine_;
    Waiter* ready_first_ = nullptr;
    Waiter** ready_last_ = &ready_first_;
    std::vector<SocketState*> graves_;  // closed and unreferenced: freed at the end of the turn
    std::vector<ListenerState*> listeners_;
    std::vector<PortState*> ports_;
    std::size_t sockets_ = 0, accepted_ = 0, tasks_ = 0;
    unsigned immediate_ = 0;  // operations of this turn that did not wait: bounded, so that nobody is starved

    Fd wake_;  // eventfd
    std::atomic<bool> stopping_ = false;
    std::mutex posted_mutex_;
    std::vector<std::function<void()>> posted_;
    std::atomic<bool> has_posted_ = false;
};

}  // namespace penstock::ring
