// SPDX-License-Identifier: Apache-2.0
// Accepting, and how many sockets there may be. Every case runs on both engines.
#include "userspace/ring/testing.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace penstock::ring::testing;
using namespace std::chrono_literals;

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
