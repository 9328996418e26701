// SPDX-License-Identifier: Apache-2.0
// For tests only: a loop on either engine, a listening socket, peers that echo, and what the tests read and send.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "tools/test/catch.hpp"
#include "userspace/ring/ring.hpp"

namespace penstock::ring::testing {

inline std::unique_ptr<Loop> make_loop(Options options = {}) {
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

inline Endpoint loopback(std::uint16_t port = 0, Family family = Family::v4) {
    return {family == Family::v4 ? IpAddress::v4(INADDR_LOOPBACK) : *IpAddress::parse("::1"), port};
}

inline Fd bound(int type, const Endpoint& to) {
    Fd fd(::socket(to.address.family == Family::v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
    sockaddr_storage name{};
    const socklen_t size = to.to_sockaddr(name);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
    return fd;
}

inline Endpoint local_of(int fd) {
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

inline Task<> echo(Socket socket) {
    for (;;) {
        Received got = co_await socket.receive(socket.loop().after(std::chrono::seconds(10)));
        if (!got) {
            co_return;
        }
        if (co_await socket.send(got.buffer.bytes(), socket.loop().after(std::chrono::seconds(10))) != 0) {
            co_return;
        }
    }
}

inline Task<> serve_echo(Loop& loop, Listener& listener) {
    for (;;) {
        Opened client = co_await listener.accept();
        if (!client) {
            co_return;
        }
        loop.spawn(echo(std::move(client.socket)));
    }
}

// Reads until `count` bytes, the end or an error.
inline Task<std::string> read_bytes(Socket& socket, std::size_t count) {
    std::string all;
    while (all.size() < count) {
        Received got = co_await socket.receive(socket.loop().after(std::chrono::seconds(10)));
        if (!got) {
            break;
        }
        all += got.buffer.view();
    }
    co_return all;
}

// Reads `count` bytes with a pause now and then, at which `look` is called.
inline Task<std::string> read_slowly(Socket& socket, std::size_t count, std::function<void()> look) {
    std::string all;
    for (int i = 0; all.size() < count; i++) {
        if (i % 64 == 1) {
            co_await socket.loop().sleep(std::chrono::milliseconds(2));
            look();
        }
        Received got = co_await socket.receive(socket.loop().after(std::chrono::seconds(10)));
        REQUIRE(got);
        all += got.buffer.view();
    }
    co_return all;
}

// Runs `task`, then stops the loop; fails if anything is left over.
inline void run(Loop& loop, Task<> task) {
    static const auto then_stop = [](Loop& l, Task<> t) -> Task<> {
        co_await std::move(t);
        l.stop();
    };
    loop.spawn(then_stop(loop, std::move(task)));
    CHECK(loop.run() == 0);
    CHECK(loop.buffers_lent() == 0);
}

inline std::string pattern(std::size_t size) {
    std::string text(size, 0);
    for (std::size_t i = 0; i < size; i++) {
        text[i] = static_cast<char>(i * 31 + i / 251);
    }
    return text;
}

}  // namespace penstock::ring::testing
