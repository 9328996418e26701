// SPDX-License-Identifier: Apache-2.0
// What lies behind Socket, Listener and Port, and Engine: the few things that io_uring and epoll do differently.
// For this folder only. An engine moves bytes and says so here (arrived, ended, sent, ...); who waits, deadlines, inboxes and
// lifetimes are the same for both. Dispatch is one virtual call per operation, not per byte: 2 ns beside some 20 us a request.
#pragma once

#include <netinet/in.h>

#include <deque>

#include "userspace/ring/loop.hpp"

namespace penstock::ring {

// The bytes received and not yet taken: a queue linked through the pool's notes.
class Inbox {
public:
    [[nodiscard]] bool empty() const { return count_ == 0; }
    [[nodiscard]] unsigned count() const { return count_; }
    void push(BufferPool& pool, std::uint16_t id, std::size_t filled) {
        pool.filled(id) = static_cast<std::uint32_t>(filled);
        if (count_++ == 0) {
            first_ = id;
        } else {
            pool.next(last_) = id;
        }
        last_ = id;
    }
    [[nodiscard]] std::uint16_t front() const { return first_; }
    Buffer pop(BufferPool& pool) {
        const std::uint16_t id = first_;
        count_--;
        first_ = pool.next(id);
        return {pool, id, pool.data(id), pool.filled(id)};
    }
    void clear(BufferPool& pool) {
        while (!empty()) {
            pop(pool);
        }
    }

private:
    unsigned count_ = 0;
    std::uint16_t first_ = 0, last_ = 0;
};

// A receiving end: of a stream, of a connected datagram socket or of a port.
struct ReceiveState : Starved {
    ReceiveState(Loop& owner, BufferPool& buffers, int descriptor) : loop(owner), pool(&buffers), fd(descriptor) {}

    [[nodiscard]] bool has_input() const { return !inbox.empty() || ended || error != 0; }
    [[nodiscard]] bool wants() const { return !closed && !has_input() && someone_waits(); }
    [[nodiscard]] virtual bool someone_waits() const = 0;
    // Input or the end is here: wakes who waits for it.
    virtual void notify() = 0;
    // The engine's reports. arrived() may be told for a closed socket: the buffer goes back.
    void arrived(std::uint16_t id, std::size_t size);
    void end(int why);        // no more input will come
    void fail(int why);       // one error; a datagram socket goes on
    void revive() override;   // a buffer is there again
    // Before the engine receives: from which pool.
    void choose_pool();
    // It has filled many buffers in a row.
    [[nodiscard]] bool streaming() const;
    // Large buffers are in use, for one receive at a time.
    [[nodiscard]] bool in_bulk() const;

    Loop& loop;
    BufferPool* pool;         // what the inbox holds is of it, and what a receive that is with the kernel will bring
    int fd;
    unsigned ops = 0;         // io_uring: operations with the kernel that name this object
    int error = 0;            // to be told by the next receive
    std::uint32_t most = 0;   // of bytes in a receive, of which there is one at a time; 0: as many as come, ahead of the reader
    Inbox inbox;
    unsigned full = 0;        // receives in a row that filled their buffers
    bool records = false;     // buffers begin with kRecordHead bytes
    bool datagram = false;
    bool port = false;
    bool ended = false;       // after the inbox comes `error` or the end
    bool closed = false;
    bool settled = false;     // io_uring: closed, and nothing refers to it any more
    bool armed = false;       // io_uring: a multishot receive is with the kernel
    bool pausing = false;     // io_uring: and is being cancelled
    bool readable = false;    // epoll: worth a try
    bool hangup = false;      // epoll: read until the end is seen

protected:
    ~ReceiveState() = default;

private:
    void measure(std::size_t size);
    [[nodiscard]] bool may_stream() const { return !datagram && !records && most == 0; }
};

struct SocketState final : ReceiveState {
    SocketState(Loop& owner, BufferPool& buffers, int descriptor);

    [[nodiscard]] bool someone_waits() const override { return (reader != nullptr && reader->waiting()) || hook != nullptr; }
    void notify() override;
    void sent(int why);       // the writer's operation is over
    void connected(int why);  // the connector's
    Received pop();
    Buffer pop_inbox();
    [[nodiscard]] std::uint8_t next_record();  // the type of what lies first in the inbox; 0: bytes of no record
    // Makes the timer fire by `when`; it never needs to be moved later.
    void watch(Time when) {
        if (when < deadline.when()) {
            loop.timers().arm(deadline, when);
        }
    }
    void expire();
    void close();
    [[nodiscard]] ReadyWait*& ready_wait(ReadyWait::For what) {
        return what == ReadyWait::For::reading ? ready_reader : ready_writer;
    }
    void make_nonblocking();  // which splice(2) asks of the file, while sends and receives do not care

    struct Deadline : Timer {
        explicit Deadline(SocketState& owner);
        SocketState& socket;
    };

    ReceiveWait* reader = nullptr;
    SendWait* writer = nullptr;        // its memory is with the kernel
    ConnectWait* connector = nullptr;
    ReadyWait *ready_reader = nullptr, *ready_writer = nullptr;
    IdleHook* hook = nullptr;
    Buffer unread;
    int write_error = 0;               // why the writer was cancelled
    bool accepted = false;
    bool connecting = false;
    bool nonblocking = false;          // splicing needs it of the file
    bool seals = false;                // what is sent becomes records in the kernel
    bool writable = false;             // epoll
    Time receive_until = kNever, send_until = kNever;
    Deadline deadline;
};

struct ListenerState {
    ListenerState(Loop& owner, Fd descriptor);
    void accepted(int fd);
    void failed(int why);   // of one accept; tried again, after a pause if the machine lacks something
    void idle();            // io_uring: no accept is with the kernel any more
    void resume();
    void stop();
    void close();
    // Room for another open connection; those of the backlog count when they are handed out.
    [[nodiscard]] bool allowed() const;
    [[nodiscard]] bool full() const;  // with the backlog
    [[nodiscard]] bool ready() const { return !backlog.empty() && allowed(); }

    struct Retry : Timer {
        explicit Retry(ListenerState& owner);
        ListenerState& listener;
    };

    Loop& loop;
    Fd fd;
    std::deque<int> backlog;
    AcceptWait* waiter = nullptr;
    unsigned ops = 0;
    bool armed = false, pausing = false, stopped = false, closed = false, paused = false;
    bool readable = true;   // epoll
    Retry retry;
};

struct PortState final : ReceiveState {
    PortState(Loop& owner, BufferPool& buffers, Fd descriptor);
    [[nodiscard]] bool someone_waits() const override { return reader != nullptr && reader->waiting(); }
    void notify() override;
    Datagram pop();
    void close();

    struct Deadline : Timer {
        explicit Deadline(PortState& owner);
        PortState& port;
    };

    Fd owned;
    DatagramWait* reader = nullptr;
    bool v6 = false;
    Time receive_until = kNever;
    Deadline deadline;
};

// How a datagram lies in its buffer, as multishot recvmsg writes it: this header, the name, the control, the payload.
// On a connected socket name and control have no room. (Multishot recv would not tell an empty datagram from the end.)
struct DatagramHeader {
    std::uint32_t name_size, control_size, payload_size, flags;
};
inline constexpr std::size_t kNameBytes = 32;  // of 28: the control after it stays aligned
inline constexpr std::size_t kControlBytes = CMSG_SPACE(sizeof(in6_pktinfo));
inline constexpr std::size_t kDatagramHead = sizeof(DatagramHeader) + kNameBytes + kControlBytes;

// A part of a TLS record that the kernel has decrypted: the same without a name. The control tells the record's type; none: the end.
inline constexpr std::size_t kRecordControlBytes = CMSG_SPACE(1);
inline constexpr std::size_t kRecordHead = sizeof(DatagramHeader) + kRecordControlBytes;

// A datagram on its way out.
struct Posting {
    ReceiveState* owner = nullptr;
    Buffer buffer;
    msghdr message = {};
    iovec part = {};
    sockaddr_storage name = {};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(in6_pktinfo))> control = {};
};

class Engine {
public:
    explicit Engine(Loop& loop) : loop_(loop) {}
    virtual ~Engine() = default;

    virtual Status add(SocketState& socket) = 0;
    // Somebody wants input and there is none. It may come before this returns.
    virtual void receive(ReceiveState& from) = 0;
    // Nobody reads and the inbox is long enough.
    virtual void pause(ReceiveState& from) = 0;
    virtual bool quiet(SocketState& socket) = 0;
    static constexpr int kPending = -1;
    // kPending (sent() follows), or how it ended.
    virtual int send(SocketState& socket, SendWait& what) = 0;
    virtual void cancel_send(SocketState& socket) = 0;  // sent() follows
    virtual int connect(SocketState& socket, ConnectWait& to) = 0;
    virtual void cancel_connect(SocketState& socket) = 0;  // connected() follows
    // Closes the descriptor now or as soon as the kernel has let go, then hands the object to loop.graves_.
    virtual void close(SocketState& socket) = 0;

    virtual Status add(ListenerState& listener) = 0;
    virtual void accept(ListenerState& listener) = 0;
    virtual void stop(ListenerState& listener) = 0;  // idle() follows, or happened already
    virtual void close(ListenerState& listener) = 0;

    virtual void add(BufferPool&) {}  // a further pool; those of streams are known
    virtual Status add(PortState& port) = 0;
    virtual void close(PortState& port) = 0;
    virtual bool post(Posting& what) = 0;  // false: dropped; else posted() follows or happened already

    virtual void watch(ReadyWait& wait) = 0;
    virtual void unwatch(ReadyWait& wait) = 0;  // its finish() follows

    // Submits, waits until `until` (the past: not at all) for events, reports them.
    virtual void turn(Time until) = 0;
    // Operations of closed objects are still with the kernel.
    [[nodiscard]] virtual bool busy() const { return false; }

    // A free Posting with owner and buffer set, or nullptr at Options::datagrams_max (counted).
    Posting* prepare(ReceiveState& owner, Buffer buffer);
    void posted(Posting& what);

protected:
    static bool nothing_waits(int fd);  // by a peek
    // Access to Loop for engines.
    Loop& loop_;
    [[nodiscard]] Counters& counters() { return loop_.counters_; }
    [[nodiscard]] BufferPool& stream_pool() { return *loop_.pool_; }
    [[nodiscard]] BufferPool& bulk_pool() { return *loop_.bulk_pool_; }
    void set_now(Time now) { loop_.now_ = now; }
    [[nodiscard]] int wake_fd() const { return loop_.wake_.get(); }

private:
    std::deque<Posting> postings_;
    std::vector<Posting*> free_postings_;
};

Result<std::unique_ptr<Engine>> make_uring_engine(Loop& loop);
Result<std::unique_ptr<Engine>> make_epoll_engine(Loop& loop);

// What the files of this folder need of Loop.
class Internals {
public:
    static Engine& engine(Loop& loop) { return *loop.engine_; }
    static bool spend_immediate(Loop& loop) { return loop.immediate_++ < 256; }
    static std::size_t& sockets(Loop& loop) { return loop.sockets_; }
    static std::size_t& accepted(Loop& loop) { return loop.accepted_; }
    static Counters& counters(Loop& loop) { return loop.counters_; }
    // Takes the descriptor. No state at sockets_max (ENFILE) or if the engine refuses it.
    static SocketState* open(Loop& loop, int fd, bool datagram, int& error);
    static BufferPool& stream_pool(Loop& loop) { return *loop.pool_; }
    static BufferPool& bulk_pool(Loop& loop) { return *loop.bulk_pool_; }
    static BufferPool& datagram_pool(Loop& loop);
    static void resume_listeners(Loop& loop);  // one accepted connection less
    static void bury(Loop& loop, SocketState& socket) { loop.graves_.push_back(&socket); }
    static void forget(Loop& loop, ListenerState& listener);
    static void forget(Loop& loop, PortState& port);
};

}  // namespace penstock::ring
