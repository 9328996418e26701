// SPDX-License-Identifier: Apache-2.0
// Streams: what is sent and received, in which pieces, and how they end. Every case runs on both engines.
#include "userspace/ring/testing.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace penstock::ring::testing;
using namespace std::chrono_literals;

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
        const std::string all = co_await read_slowly(opened.socket, kSize, [&] { most = std::max(most, l.buffers_lent()); });
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
