// SPDX-License-Identifier: Apache-2.0
// The ring's I/O and nothing else: a one-thread HTTP/1.1 proxy that finds the ends of messages (an empty line, Content-Length) and passes the
// bytes on, each client's to a backend connection of its own. The floor under a real proxy, not a proxy: it trusts both sides.
//
//   bench_ring io_uring|epoll LISTEN BACKEND      e.g. 0.0.0.0:8080 10.201.2.2:8001
#include <sys/socket.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>

#include "bench/native/sample.hpp"
#include "userspace/ring/ring.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMessageMax = 1U << 20;

// How long the message that `bytes` begins with is; 0: its head is not whole yet.
std::size_t message_size(std::string_view bytes) {
    constexpr std::string_view kEnd = "\r\n\r\n";
    constexpr std::string_view kLength = "Content-Length: ";
    const std::size_t end = bytes.find(kEnd);
    if (end == std::string_view::npos) {
        return 0;
    }
    std::size_t body = 0;
    const std::string_view head = bytes.substr(0, end);
    if (const std::size_t at = head.find(kLength); at != std::string_view::npos) {
        std::from_chars(head.data() + at + kLength.size(), head.data() + head.size(), body);
    }
    return end + kEnd.size() + body;
}

// Passes one message on: as it is if one receive brought the whole of it, else gathered. False: a side is gone.
Task<bool> pass_message(Socket& from, Socket& to) {
    Received got = co_await from.receive();
    if (!got) {
        co_return false;
    }
    if (message_size(got.buffer.view()) == got.buffer.size()) {
        co_return co_await to.send(got.buffer.view()) == 0;
    }
    std::string message(got.buffer.view());
    for (std::size_t size = message_size(message); size == 0 || size > message.size(); size = message_size(message)) {
        got = co_await from.receive();
        if (!got || message.size() > kMessageMax) {
            co_return false;
        }
        message += got.buffer.view();
    }
    co_return co_await to.send(std::string_view(message)) == 0;
}

Task<> serve(Socket client, Endpoint backend) {
    Opened upstream = co_await client.loop().connect(backend, client.loop().after(5s));
    if (!upstream) {
        co_return;
    }
    for (;;) {
        const bool asked = co_await pass_message(client, upstream.socket);
        if (!asked) {
            co_return;
        }
        const bool answered = co_await pass_message(upstream.socket, client);
        if (!answered) {
            co_return;
        }
    }
}

Task<> accept_all(Loop& loop, Listener listener, Endpoint backend) {
    for (;;) {
        Opened client = co_await listener.accept();
        if (!client) {
            co_return;
        }
        loop.spawn(serve(std::move(client.socket), backend));
    }
}

Result<Fd> listening(const Endpoint& at) {
    Fd fd(::socket(at.address.family == Family::v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // A ring that has just died holds its listener some milliseconds longer.
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_storage name{};
    const socklen_t size = at.to_sockaddr(name);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 || ::listen(fd.get(), 1024) != 0) {
        return sys_error("listen on " + at.text());
    }
    return fd;
}

}  // namespace

int main(int argc, char** argv) {
    const auto at = argc == 4 ? Endpoint::parse(argv[2]) : std::nullopt;
    const auto backend = argc == 4 ? Endpoint::parse(argv[3]) : std::nullopt;
    const bool known = argc == 4 && (argv[1] == to_string(Kind::io_uring) || argv[1] == to_string(Kind::epoll));
    if (!known || !at || !backend) {
        std::fprintf(stderr, "usage: bench_ring io_uring|epoll LISTEN BACKEND\n");
        return 2;
    }
    auto loop = bench::must(Loop::create({.kind = argv[1] == to_string(Kind::epoll) ? Kind::epoll : Kind::io_uring}));
    loop->spawn(accept_all(*loop, bench::must(loop->listen(bench::must(listening(*at)))), *backend));
    loop->run();
    return 0;
}
