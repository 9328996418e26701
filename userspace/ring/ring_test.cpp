// SPDX-License-Identifier: Apache-2.0
// Every case runs on both engines.
#include "userspace/ring/ring.hpp"

#include <fcntl.h>

#include <csignal>
#include <cstring>
#include <thread>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<Loop> make_loop(Options options = {}) {
    options.kind = GENERATE(Kind::io_uring, Kind::epoll);
    if (options.kind == Kind::io_uring) {
        if (const Status there = Loop::probe_io_uring(); !there.ok()) {
            WARN("no io_uring here: " << there.error().report());
            options.kind = Kind::epoll;
        }
    }
    auto loop = Loop::create(options);
    REQUIRE(loop.ok());
    return std::move(*loop);
}

Endpoint loopback(std::uint16_t port = 0, Family family = Family::v4) {
    return {family == Family::v4 ? IpAddress::v4(INADDR_LOOPBACK) : *IpAddress::parse("::1"), port};
}

Fd bound(int type, const Endpoint& to) {
    Fd fd(::socket(to.address.family == Family::v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    sockaddr_storage name{};
    const socklen_t size = to.to_sockaddr(name);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
    return fd;
}

Endpoint local_of(int fd) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    return *Endpoint::from_sockaddr(name);
}

struct Server {
    explicit Server(Loop& loop, int backlog = 1024) {
        Fd fd = bound(SOCK_STREAM, loopback());
        REQUIRE(::listen(fd.get(), backlog) == 0);
        at = local_of(fd.get());
        auto made = loop.listen(std::move(fd));
        REQUIRE(made.ok());
        listener = std::move(*made);
    }
    Listener listener;
    Endpoint at;
};

Task<> echo(Socket socket) {
    for (;;) {
        Received got = co_await socket.receive(socket.loop().after(10s));
        if (!got) {
            co_return;
        }
        if (co_await socket.send(got.buffer.bytes(), socket.loop().after(10s)) != 0) {
            co_return;
        }
    }
}

Task<> serve_echo(Loop& loop, Listener& listener) {
    for (;;) {
        Opened client = co_await listener.accept();
        if (!client) {
            co_return;
        }
        loop.spawn(echo(std::move(client.socket)));
    }
}

// Reads until `count` bytes, the end or an error.
Task<std::string> read_bytes(Socket& socket, std::size_t count) {
    std::string all;
    while (all.size() < count) {
        Received got = co_await socket.receive(socket.loop().after(10s));
        if (!got) {
            break;
        }
        all += got.buffer.view();
    }
    co_return all;
}

// Runs `task`, then stops the loop; fails if anything is left over.
void run(Loop& loop, Task<> task) {
    static const auto then_stop = [](Loop& l, Task<> t) -> Task<> {
        co_await std::move(t);
        l.stop();
    };
    loop.spawn(then_stop(loop, std::move(task)));
    CHECK(loop.run() == 0);
    CHECK(loop.buffers_lent() == 0);
}

std::string pattern(std::size_t size) {
    std::string text(size, 0);
    for (std::size_t i = 0; i < size; i++) {
        text[i] = static_cast<char>(i * 31 + i / 251);
    }
    return text;
}

}  // namespace

TEST_CASE("ring: what is sent comes back, small and large, over many exchanges") {
    auto loop = make_loop();
    Server server(*loop);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to, l.after(5s));
        REQUIRE(opened.error == 0);
        for (const std::size_t size : {1, 5, 4096, 4097, 60000}) {
            const std::string text = pattern(size);
            const int sent = co_await opened.socket.send(std::string_view(text), l.after(5s));
            CHECK(sent == 0);
            const std::string back = co_await read_bytes(opened.socket, size);
            CHECK(back == text);
        }
        CHECK(opened.socket.quiet());
    };
    run(*loop, client(*loop, server.at));
    CHECK(loop->counters().accepted == 1);
}

TEST_CASE("ring: several pieces go out in order as one send") {
    auto loop = make_loop();
    Server server(*loop);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        REQUIRE(opened);
        std::string head = "head,", none, body = pattern(300000), tail = ",tail";
        std::array<iovec, 4> parts = {iovec{head.data(), head.size()}, iovec{none.data(), 0}, iovec{body.data(), body.size()},
                                      iovec{tail.data(), tail.size()}};
        std::string back;
        const auto send = [](Socket& socket, std::span<iovec> what) -> Task<> {
            const int sent = co_await socket.send(what);
            CHECK(sent == 0);
        };
        const auto receive = [](Socket& socket, std::string& out, std::size_t size) -> Task<> {
            out = co_await read_bytes(socket, size);
        };
        co_await both(send(opened.socket, parts), receive(opened.socket, back, head.size() + body.size() + tail.size()));
        CHECK(back == head + body + tail);
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: after shutdown_send the peer reads to the end and still answers") {
    auto loop = make_loop();
    Server server(*loop);
    const auto serve = [](Listener& listener) -> Task<> {
        Opened client = co_await listener.accept();
        REQUIRE(client);
        const std::string all = co_await read_bytes(client.socket, SIZE_MAX);
        CHECK(all == "question");
        const int sent = co_await client.socket.send(std::string_view("answer"));
        CHECK(sent == 0);
    };
    loop->spawn(serve(server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        REQUIRE(opened);
        const int sent = co_await opened.socket.send(std::string_view("question"));
        CHECK(sent == 0);
        CHECK(opened.socket.shutdown_send() == 0);
        const std::string all = co_await read_bytes(opened.socket, SIZE_MAX);
        CHECK(all == "answer");
        Received end = co_await opened.socket.receive();
        CHECK(end.ended());
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: a reset is an error, for the reader and for the writer") {
    auto loop = make_loop();
    Server server(*loop);
    const auto serve = [](Listener& listener) -> Task<> {
        for (int i = 0; i < 2; i++) {
            Opened client = co_await listener.accept();
            REQUIRE(client);
            Received got = co_await client.socket.receive();
            CHECK(got);
            client.socket.abort();
        }
    };
    loop->spawn(serve(server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened reader = co_await l.connect(to);
        int sent = co_await reader.socket.send(std::string_view("x"));
        CHECK(sent == 0);
        Received got = co_await reader.socket.receive(l.after(5s));
        CHECK(got.error == ECONNRESET);
        Opened writer = co_await l.connect(to);
        const std::string much = pattern(1 << 20);
        do {
            sent = co_await writer.socket.send(std::string_view(much), l.after(5s));
        } while (sent == 0);
        CHECK((sent == ECONNRESET || sent == EPIPE));
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: a slow reader holds few buffers and loses nothing") {
    auto loop = make_loop({.buffers = 64});
    Server server(*loop);
    static constexpr std::size_t kSize = 4 << 20;
    const auto sender = [](Listener& listener) -> Task<> {
        Opened client = co_await listener.accept();
        REQUIRE(client);
        const std::string text = pattern(kSize);
        const int sent = co_await client.socket.send(std::string_view(text));
        CHECK(sent == 0);
    };
    loop->spawn(sender(server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        REQUIRE(opened);
        unsigned most = 0;
        std::string all;
        for (int i = 0; all.size() < kSize; i++) {
            if (i % 64 == 1) {
                co_await l.sleep(2ms);
                most = std::max(most, l.buffers_lent());
            }
            Received got = co_await opened.socket.receive(l.after(10s));
            REQUIRE(got);
            all += got.buffer.view();
        }
        CHECK(all == pattern(kSize));
        CHECK(most <= 64);  // a multishot receive may fill the hot set before its cancellation takes effect
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: a stream that says much is received in large pieces, as far as there are buffers for that") {
    const unsigned bulk_max = GENERATE(1U, 256U);
    auto loop = make_loop({.bulk_buffers = 1, .bulk_buffers_max = bulk_max});
    Server server(*loop);
    static constexpr std::size_t kSize = 4 << 20;
    const auto sender = [](Listener& listener) -> Task<> {
        Opened client = co_await listener.accept();
        REQUIRE(client);
        const std::string text = pattern(kSize);
        int sent = co_await client.socket.send(std::string_view(text));
        CHECK(sent == 0);
        sent = co_await client.socket.send("and so on");
        CHECK(sent == 0);
    };
    loop->spawn(sender(server.listener));
    const auto client = [](Loop& l, Endpoint to, unsigned large_max) -> Task<> {
        Opened opened = co_await l.connect(to);
        REQUIRE(opened);
        std::vector<Buffer> large;  // lent for as long as this lasts
        std::string all;
        while (all.size() < kSize + 9) {
            Received got = co_await opened.socket.receive(l.after(10s));
            REQUIRE(got);
            all += got.buffer.view();
            if (got.buffer.size() > l.options().buffer_bytes) {
                large.push_back(std::move(got.buffer));
            }
        }
        CHECK(all == pattern(kSize) + "and so on");
        CHECK_FALSE(large.empty());
        CHECK(large.size() <= large_max);
    };
    run(*loop, client(*loop, server.at, bulk_max));
}

// What is left of a stream is spliced from one socket to the other once it streams, as the proxy does it.
Task<std::size_t> splice_on(Loop& loop, Socket& from, Socket& to) {
    std::size_t spliced = 0;
    Pipe pipe = loop.pipes().take();
    for (bool ended = false; !ended;) {
        if (!pipe.open() || !from.streams()) {
            Received got = co_await from.receive(loop.after(10s));
            ended = got.ended();
            if (got) {
                const int sent = co_await to.send(got.buffer.bytes(), loop.after(10s));
                CHECK(sent == 0);
            }
            continue;
        }
        const std::ptrdiff_t n = from.pull(pipe, 1 << 20);
        if (n == -EAGAIN) {
            const int ready = co_await from.ready(ReadyWait::For::reading, loop.after(10s));
            CHECK(ready == 0);
        }
        if (n == 0) {
            ended = true;
        }
        spliced += n > 0 ? static_cast<std::size_t>(n) : 0;
        while (pipe.held() != 0) {
            if (to.push(pipe) == -EAGAIN) {
                const int ready = co_await to.ready(ReadyWait::For::writing, loop.after(10s));
                CHECK(ready == 0);
            }
        }
    }
    loop.pipes().give(std::move(pipe));
    to.shutdown_send();
    co_return spliced;
}

TEST_CASE("ring: a stream that says much is spliced to a slow reader, and its socket still sends and receives") {
    std::signal(SIGPIPE, SIG_IGN);
    const unsigned pipes = GENERATE(0U, 1U);
    auto loop = make_loop({.pipes_max = pipes});
    Server source(*loop), middle(*loop);
    static constexpr std::size_t kSize = 8 << 20;
    const auto sender = [](Listener& listener) -> Task<> {
        Opened client = co_await listener.accept();
        REQUIRE(client);
        const std::string text = pattern(kSize);
        const int sent = co_await client.socket.send(std::string_view(text));
        CHECK(sent == 0);
        client.socket.shutdown_send();
        const std::string word = co_await read_bytes(client.socket, 5);
        CHECK(word == "after");
    };
    loop->spawn(sender(source.listener));
    std::size_t spliced = 0;
    const auto proxy = [](Loop& l, Listener& listener, Endpoint to, std::size_t& count) -> Task<> {
        Opened client = co_await listener.accept();
        Opened backend = co_await l.connect(to);
        REQUIRE((client && backend));
        count = co_await splice_on(l, backend.socket, client.socket);
        const int sent = co_await backend.socket.send("after");  // on a socket that does not block any more
        CHECK(sent == 0);
        const std::string word = co_await read_bytes(client.socket, 4);
        CHECK(word == "done");
    };
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        REQUIRE(opened);
        std::string all;
        for (int i = 0; all.size() < kSize; i++) {
            if (i % 64 == 1) {
                co_await l.sleep(2ms);
            }
            Received got = co_await opened.socket.receive(l.after(10s));
            REQUIRE(got);
            all += got.buffer.view();
        }
        CHECK(all == pattern(kSize));
        co_await l.sleep(20ms);  // the proxy waits for this on a socket that does not block
        const int sent = co_await opened.socket.send("done");
        CHECK(sent == 0);
    };
    const auto whole = [](Task<> one, Task<> other) -> Task<> { co_await both(std::move(one), std::move(other)); };
    run(*loop, whole(proxy(*loop, middle.listener, source.at, spliced), client(*loop, middle.at)));
    CHECK((spliced > kSize / 2) == (pipes != 0));
    CHECK(loop->pipes().out() == 0);
}

TEST_CASE("ring: waits for readiness of a socket end by deadline, scope and close") {
    auto loop = make_loop();
    Server server(*loop);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto test = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        REQUIRE(opened);
        int ready = co_await opened.socket.ready(ReadyWait::For::writing, l.after(10s));
        CHECK(ready == 0);
        ready = co_await opened.socket.ready(ReadyWait::For::reading, l.after(2ms));
        CHECK(ready == ETIMEDOUT);
        const auto wait = [](Socket& s, int& out) -> Task<> { out = co_await s.ready(ReadyWait::For::reading); };
        Scope scope(l);
        const auto cancel = [](Loop& lp, Scope& s) -> Task<> {
            co_await lp.sleep(2ms);
            s.cancel(EOWNERDEAD);
        };
        int error = 0;
        co_await both(wait(opened.socket, error).in(scope), cancel(l, scope));
        CHECK(error == EOWNERDEAD);
        const auto close = [](Loop& lp, Socket& s) -> Task<> {
            co_await lp.sleep(2ms);
            s.close();
        };
        co_await both(wait(opened.socket, error), close(l, opened.socket));
        CHECK(error == ECANCELED);
        CHECK(l.sockets() <= 1);  // the server's end
    };
    run(*loop, test(*loop, server.at));
}

TEST_CASE("ring: receivers wait for buffers when all are lent and go on when they return") {
    auto loop = make_loop({.buffers = 4, .buffers_max = 8, .inbox_buffers = 2});
    Server server(*loop);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        std::vector<Socket> clients;
        for (int i = 0; i < 40; i++) {
            Opened opened = co_await l.connect(to, l.after(5s));
            REQUIRE(opened);
            clients.push_back(std::move(opened.socket));
        }
        for (Socket& socket : clients) {
            const int sent = co_await socket.send(std::string_view("hello"), l.after(5s));
            CHECK(sent == 0);
        }
        std::vector<Buffer> kept;
        for (int i = 0; i < 4; i++) {
            Received got = co_await clients[static_cast<std::size_t>(i)].receive(l.after(5s));
            REQUIRE(got);
            kept.push_back(std::move(got.buffer));
        }
        co_await l.sleep(5ms);
        CHECK(l.buffers_lent() <= 8);
        kept.clear();
        for (std::size_t i = 4; i < clients.size(); i++) {
            Received got = co_await clients[i].receive(l.after(5s));
            CHECK(got.buffer.view() == "hello");
        }
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: deadlines end receive, send, connect, readable and event waits") {
    auto loop = make_loop();
    Server server(*loop, 1);
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);  // lies in the kernel's queue: nobody accepts
        REQUIRE(opened);
        Received got = co_await opened.socket.receive(l.after(5ms));
        CHECK(got.error == ETIMEDOUT);
        const std::string much = pattern(16 << 20);
        const int sent = co_await opened.socket.send(std::string_view(much), l.after(20ms));
        CHECK(sent == ETIMEDOUT);
        // The next connections find the queue full: their SYNs are not answered.
        std::vector<Opened> others;
        int last = 0;
        for (int i = 0; i < 4 && last == 0; i++) {
            others.push_back(co_await l.connect(to, l.after(30ms)));
            last = others.back().error;
        }
        CHECK(last == ETIMEDOUT);
        std::array<int, 2> pipes{};
        REQUIRE(::pipe2(pipes.data(), O_CLOEXEC) == 0);
        const Fd in(pipes[0]), out(pipes[1]);
        int ready = co_await l.readable(in.get(), l.after(5ms));
        CHECK(ready == ETIMEDOUT);
        REQUIRE(::write(out.get(), "x", 1) == 1);
        ready = co_await l.readable(in.get(), l.after(5s));
        CHECK(ready == 0);
        Event event(l);
        const int signalled = co_await event.wait(l.after(5ms));
        CHECK(signalled == ETIMEDOUT);
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: a cancelled scope ends every kind of wait with its error, and later ones at once") {
    auto loop = make_loop();
    Server server(*loop);
    const auto client = [](Loop& l, Listener& listener, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        Opened filler = co_await l.connect(to);
        REQUIRE(opened);
        int ended = 0;
        Event event(l);
        Scope scope(l);
        const auto receive = [](Socket& s, int& n) -> Task<> {
            Received got = co_await s.receive();
            CHECK(got.error == ECANCELED);
            got = co_await s.receive();
            CHECK(got.error == ECANCELED);
            n++;
        };
        const auto send = [](Socket& s, int& n) -> Task<> {
            const std::string much = pattern(16 << 20);
            const int sent = co_await s.send(std::string_view(much));
            CHECK(sent == ECANCELED);
            n++;
        };
        const auto sleep = [](Loop& lp, int& n) -> Task<> {
            const int slept = co_await lp.sleep(1h);
            CHECK(slept == ECANCELED);
            n++;
        };
        const auto wait = [](Event& e, int& n) -> Task<> {
            const int waited = co_await e.wait();
            CHECK(waited == ECANCELED);
            n++;
        };
        const auto poll = [](Loop& lp, int fd, int& n) -> Task<> {
            const int ready = co_await lp.readable(fd);
            CHECK(ready == ECANCELED);
            n++;
        };
        const auto accept = [](Listener& from, int& n) -> Task<> {
            for (;;) {
                Opened got = co_await from.accept();
                if (!got) {
                    CHECK(got.error == ECANCELED);
                    n++;
                    co_return;
                }
            }
        };
        std::array<int, 2> pipes{};
        REQUIRE(::pipe2(pipes.data(), O_CLOEXEC) == 0);
        const Fd in(pipes[0]), out(pipes[1]);
        l.spawn(receive(opened.socket, ended), scope);
        l.spawn(send(filler.socket, ended), scope);
        l.spawn(sleep(l, ended), scope);
        l.spawn(wait(event, ended), scope);
        l.spawn(poll(l, in.get(), ended), scope);
        co_await l.sleep(5ms);
        scope.cancel();
        for (int i = 0; i < 200 && ended < 5; i++) {
            co_await l.sleep(1ms);
        }
        CHECK(ended == 5);
        Scope other(l);
        l.spawn(accept(listener, ended), other);
        co_await l.sleep(5ms);
        other.cancel();
        for (int i = 0; i < 200 && ended < 6; i++) {
            co_await l.sleep(1ms);
        }
        CHECK(ended == 6);
    };
    run(*loop, client(*loop, server.listener, server.at));
}

TEST_CASE("ring: a scope's deadline reaches a task and the tasks that it awaits") {
    auto loop = make_loop();
    const auto inner = [](Loop& l) -> Task<int> { co_return co_await l.sleep(1h); };
    const auto outer = [](Loop& l, auto in) -> Task<int> { co_return co_await in(l); };
    const auto test = [](Loop& l, auto in, auto out) -> Task<> {
        Scope scope(co_await this_scope());
        scope.set_deadline(l.after(5ms));
        const int error = co_await out(l, in).in(scope);
        CHECK(error == ETIMEDOUT);
        const int here = co_await l.sleep(1ms);
        CHECK(here == 0);
    };
    run(*loop, test(*loop, inner, outer));
}

TEST_CASE("ring: stop reaches sleeping, receiving and accepting tasks") {
    auto loop = make_loop();
    Server server(*loop);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        Received got = co_await opened.socket.receive();
        CHECK(got.error == ECANCELED);
        const int slept = co_await l.sleep(1h);
        CHECK(slept == ECANCELED);
    };
    for (int i = 0; i < 10; i++) {
        loop->spawn(client(*loop, server.at));
    }
    const auto stop = [](Loop& l) -> Task<> {
        co_await l.sleep(10ms);
        l.stop();
    };
    loop->spawn(stop(*loop));
    CHECK(loop->run() == 0);
    CHECK(loop->sockets() == 0);
}

TEST_CASE("ring: close ends another task's wait on the same socket") {
    auto loop = make_loop();
    Server server(*loop);
    const auto test = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        int error = 0;
        const auto receive = [](Socket& s, int& out) -> Task<> {
            Received got = co_await s.receive();
            out = got.error;
        };
        const auto close = [](Loop& lp, Socket& s) -> Task<> {
            co_await lp.sleep(2ms);
            s.close();
        };
        co_await both(receive(opened.socket, error), close(l, opened.socket));
        CHECK(error == ECANCELED);
        CHECK(l.sockets() == 0);
    };
    run(*loop, test(*loop, server.at));
}

TEST_CASE("ring: a parked socket tells of bytes, of the end and of its deadline") {
    auto loop = make_loop();
    Server server(*loop);
    struct Hook : IdleHook {
        void disturbed(int why) override {
            error = why;
            calls++;
        }
        int error = -1, calls = 0;
    };
    const auto test = [](Loop& l, Listener& listener, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        Opened served = co_await listener.accept();
        REQUIRE(served);
        Hook hook;
        opened.socket.park(hook, l.after(5ms));
        co_await l.sleep(20ms);
        CHECK(hook.error == ETIMEDOUT);
        opened.socket.park(hook, l.after(5s));
        CHECK(opened.socket.quiet());
        opened.socket.unpark();
        const int sent = co_await served.socket.send(std::string_view("late"));
        CHECK(sent == 0);
        Received got = co_await opened.socket.receive(l.after(5s));
        CHECK(got.buffer.view() == "late");
        CHECK(hook.calls == 1);
        opened.socket.park(hook, kNever);
        served.socket.close();
        for (int i = 0; i < 200 && hook.calls < 2; i++) {
            co_await l.sleep(1ms);
        }
        CHECK(hook.calls == 2);
        CHECK(hook.error == 0);
        CHECK_FALSE(opened.socket.quiet());
    };
    run(*loop, test(*loop, server.listener, server.at));
}

TEST_CASE("ring: connecting to a closed port is refused") {
    auto loop = make_loop();
    const Fd unused = bound(SOCK_STREAM, loopback());
    const auto test = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to, l.after(5s));
        CHECK(opened.error == ECONNREFUSED);
        CHECK_FALSE(opened.socket.open());
        CHECK(l.sockets() == 0);
    };
    run(*loop, test(*loop, local_of(unused.get())));
}

TEST_CASE("ring: an accept storm is served in full, with at most accepted_max connections at once") {
    auto loop = make_loop({.accepted_max = 100});
    Server server(*loop, 4096);
    std::size_t most = 0;
    const auto serve = [](Loop& l, Socket socket, std::size_t& open, std::size_t& max) -> Task<> {
        max = std::max(max, ++open);
        Received got = co_await socket.receive(l.after(10s));
        CHECK(got);
        const int sent = co_await socket.send(got.buffer.bytes());
        CHECK(sent == 0);
        open--;
    };
    std::size_t open = 0;
    const auto accept = [](Loop& l, Listener& listener, auto each, std::size_t& o, std::size_t& m) -> Task<> {
        for (;;) {
            Opened client = co_await listener.accept();
            if (!client) {
                co_return;
            }
            l.spawn(each(l, std::move(client.socket), o, m));
        }
    };
    loop->spawn(accept(*loop, server.listener, serve, open, most));
    static constexpr int kClients = 2000;
    int done = 0;
    const auto client = [](Loop& l, Endpoint to, int& n) -> Task<> {
        Opened opened = co_await l.connect(to, l.after(20s));
        REQUIRE(opened.error == 0);
        const int sent = co_await opened.socket.send(std::string_view("hi"));
        CHECK(sent == 0);
        const std::string back = co_await read_bytes(opened.socket, 2);
        CHECK(back == "hi");
        if (++n == kClients) {
            l.stop();
        }
    };
    for (int i = 0; i < kClients; i++) {
        loop->spawn(client(*loop, server.at, done));
    }
    CHECK(loop->run() == 0);
    CHECK(done == kClients);
    CHECK(most <= 100);
    CHECK(loop->counters().accepted == kClients);
    CHECK(loop->counters().accept_pauses > 0);
}

TEST_CASE("ring: sockets_max refuses further connections") {
    auto loop = make_loop({.sockets_max = 3});
    Server server(*loop);
    const auto test = [](Loop& l, Endpoint to) -> Task<> {
        std::vector<Opened> opened;
        for (int i = 0; i < 4; i++) {
            opened.push_back(co_await l.connect(to));
        }
        CHECK(opened[2].error == 0);
        CHECK(opened[3].error == ENFILE);
        opened.clear();
        Opened again = co_await l.connect(to);
        CHECK(again.error == 0);
    };
    run(*loop, test(*loop, server.at));
    CHECK(loop->counters().sockets_refused == 1);
}

TEST_CASE("ring: work posted by other threads runs on the loop, all of it, in each thread's order") {
    auto loop = make_loop();
    static constexpr int kEach = 1000;
    std::array<int, 3> next{};
    int total = 0;
    bool ordered = true;
    std::vector<std::thread> threads;
    const auto self = std::this_thread::get_id();
    for (std::size_t t = 0; t < next.size(); t++) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; i++) {
                loop->post([&, t, i] {
                    ordered = ordered && next[t]++ == i && std::this_thread::get_id() == self;
                    if (++total == kEach * static_cast<int>(next.size())) {
                        loop->stop();
                    }
                });
            }
        });
    }
    CHECK(loop->run() == 0);
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(ordered);
    CHECK(total == kEach * 3);
}

TEST_CASE("ring: a busy connection leaves room for others") {
    auto loop = make_loop();
    Server server(*loop);
    bool done = false;
    const auto flood = [](Listener& listener, bool& over) -> Task<> {
        Opened busy = co_await listener.accept();
        const std::string text = pattern(65536);
        while (!over) {
            if (co_await busy.socket.send(std::string_view(text)) != 0) {
                break;
            }
        }
    };
    const auto drain = [](Loop& l, Endpoint to, bool& over) -> Task<> {
        Opened opened = co_await l.connect(to);
        while (!over) {
            Received got = co_await opened.socket.receive();
            if (!got) {
                break;
            }
        }
    };
    loop->spawn(flood(server.listener, done));
    loop->spawn(drain(*loop, server.at, done));
    const auto test = [](Loop& l, bool& over) -> Task<> {
        for (int i = 0; i < 20; i++) {
            const int slept = co_await l.sleep(1ms);
            CHECK(slept == 0);
        }
        over = true;
    };
    run(*loop, test(*loop, done));
}

TEST_CASE("ring: datagrams come with source and destination and are answered from where they were sent to") {
    auto loop = make_loop();
    const Family family = GENERATE(Family::v4, Family::v6);
    Fd fd = bound(SOCK_DGRAM, {IpAddress::any(family), 0});
    const std::uint16_t number = local_of(fd.get()).port;
    auto port = loop->bind(std::move(fd));
    REQUIRE(port.ok());
    const Endpoint at{family == Family::v4 ? *IpAddress::parse("127.0.0.5") : *IpAddress::parse("::1"), number};
    const auto serve = [](Loop& l, Port& p, Endpoint expected) -> Task<> {
        for (;;) {
            Datagram got = co_await p.receive(l.after(10s));
            if (!got) {
                co_return;
            }
            CHECK(got.to == expected.address);
            CHECK(p.post(std::move(got.buffer), got.from, got.to));
        }
    };
    loop->spawn(serve(*loop, *port, at));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = l.connect_datagram(to);  // hears that address only
        REQUIRE(opened);
        Fd raw(::dup(opened.socket.fd()));
        for (const std::size_t size : {0, 1, 1400, 60000}) {
            const std::string text = pattern(size);
            REQUIRE(::send(raw.get(), text.data(), size, 0) == static_cast<ssize_t>(size));
            Received got = co_await opened.socket.receive(l.after(5s));
            CHECK(got.error == 0);
            CHECK(got.buffer.view() == text);
        }
    };
    run(*loop, client(*loop, at));
}

TEST_CASE("ring: a refused datagram is told to the connected socket, which goes on") {
    auto loop = make_loop();
    Fd closed = bound(SOCK_DGRAM, loopback());
    const Endpoint to = local_of(closed.get());
    closed.reset();
    const auto test = [](Loop& l, Endpoint at) -> Task<> {
        Opened opened = l.connect_datagram(at);
        REQUIRE(::send(opened.socket.fd(), "x", 1, 0) == 1);
        Received got = co_await opened.socket.receive(l.after(5s));
        CHECK(got.error == ECONNREFUSED);
        Fd now = bound(SOCK_DGRAM, at);
        const Endpoint self = *opened.socket.local();
        sockaddr_storage name{};
        const socklen_t size = self.to_sockaddr(name);
        REQUIRE(::sendto(now.get(), "late", 4, 0, reinterpret_cast<sockaddr*>(&name), size) == 4);
        got = co_await opened.socket.receive(l.after(5s));
        CHECK(got.buffer.view() == "late");
    };
    run(*loop, test(*loop, to));
}

TEST_CASE("ring: an unread buffer comes first again") {
    auto loop = make_loop();
    Server server(*loop);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto client = [](Loop& l, Endpoint to) -> Task<> {
        Opened opened = co_await l.connect(to);
        int sent = co_await opened.socket.send(std::string_view("GET rest"));
        CHECK(sent == 0);
        Received got = co_await opened.socket.receive(l.after(5s));
        REQUIRE(got.buffer.view() == "GET rest");
        got.buffer.remove_prefix(4);
        opened.socket.unread(std::move(got.buffer));
        CHECK_FALSE(opened.socket.quiet());
        got = co_await opened.socket.receive(l.after(5s));
        CHECK(got.buffer.view() == "rest");
    };
    run(*loop, client(*loop, server.at));
}

TEST_CASE("ring: thousands of connections that come and go leave nothing behind") {
    auto loop = make_loop();
    Server server(*loop, 4096);
    loop->spawn(serve_echo(*loop, server.listener));
    const auto client = [](Loop& l, Endpoint to, int seed) -> Task<> {
        for (int i = 0; i < 20; i++) {
            Opened opened = co_await l.connect(to, l.after(20s));
            REQUIRE(opened.error == 0);
            const std::string text = pattern(static_cast<std::size_t>(seed * 37 + i * 911) % 9000 + 1);
            const int sent = co_await opened.socket.send(std::string_view(text));
            CHECK(sent == 0);
            if ((seed + i) % 3 == 0) {
                continue;  // closed without reading
            }
            const std::string back = co_await read_bytes(opened.socket, text.size());
            CHECK(back == text);
        }
    };
    const auto all = [](Loop& l, Endpoint to, auto each) -> Task<> {
        int left = 100;
        Event over(l);
        const auto count = [](Task<> task, int& n, Event& end) -> Task<> {
            co_await std::move(task);
            if (--n == 0) {
                end.signal();
            }
        };
        for (int i = 0; i < 100; i++) {
            l.spawn(count(each(l, to, i), left, over));
        }
        co_await over.wait();
    };
    run(*loop, all(*loop, server.at, client));
    CHECK(loop->counters().accepted == 2000);
    CHECK(loop->sockets() == 0);
}

TEST_CASE("ring: a socket that does not listen, or is no datagram socket, is refused with a reason") {
    auto loop = make_loop();
    auto listener = loop->listen(bound(SOCK_STREAM, loopback()));
    REQUIRE_FALSE(listener.ok());
    CHECK(listener.error().code == Errc::invalid);
    auto port = loop->bind(bound(SOCK_STREAM, loopback()));
    REQUIRE_FALSE(port.ok());
    CHECK(port.error().code == Errc::invalid);
}
