// SPDX-License-Identifier: Apache-2.0
// Datagrams. Every case runs on both engines.
#include <initializer_list>

#include "userspace/ring/testing.hpp"

using namespace penstock;
using namespace penstock::ring;
using namespace penstock::ring::testing;
using namespace std::chrono_literals;

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
        for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 1400, 60000}) {
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
