// SPDX-License-Identifier: Apache-2.0
// Bytes that go from socket to socket in the kernel. Every case runs on both engines.
#include <csignal>

#include "userspace/ring/testing.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace penstock::ring::testing;
using namespace std::chrono_literals;

namespace {

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

}  // namespace

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
        const std::string all = co_await read_slowly(opened.socket, kSize, [] {});
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
