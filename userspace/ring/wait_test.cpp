// SPDX-License-Identifier: Apache-2.0
// What ends a wait: deadlines, scopes, stop, close. Every case runs on both engines.
#include <fcntl.h>

#include "userspace/ring/testing.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace penstock::ring::testing;
using namespace std::chrono_literals;

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
