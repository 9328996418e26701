// SPDX-License-Identifier: Apache-2.0
// The life of a worker, on both kinds of loop: new snapshots, standby, sockets that come late, its log, drain.
#include <fcntl.h>

#include "userspace/worker/testing.hpp"

using namespace penstock;
using namespace penstock::worker::testing;

TEST_CASE("worker: snapshots change under load without an error") {
    on_both_kinds([](ring::Kind kind) {
        Backend one(echo_http("one"));
        Backend two(echo_http("two"));
        Harness harness(kind);
        OneHost edge(harness, {one.port, two.port});
        std::atomic<int> good = 0;
        std::atomic<int> bad = 0;
        std::vector<std::thread> clients;
        for (int thread = 0; thread < 4; ++thread) {
            clients.emplace_back([&] {
                Client client(edge.port);
                for (int i = 0; i < 500; ++i) {
                    client.send(kGet);
                    (client.answer().status == 200 ? good : bad)++;
                }
            });
        }
        for (int version = 0; version < 50; ++version) {
            edge.fill(version % 2 == 0 ? std::vector{one.port} : std::vector{one.port, two.port}, std::to_string(version));
            CHECK(harness.publish(edge.snapshot).refused.empty());
        }
        for (auto& client : clients) {
            client.join();
        }
        CHECK(good == 2000);
        CHECK(bad == 0);
        Client client(edge.port);
        client.send(kGet);
        CHECK(client.answer().header("X-Version") == "49");
    });
}

TEST_CASE("worker: a corrupt root changes nothing, a corrupt part keeps its last version and is named") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend(echo_http("one"));
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        CHECK_FALSE(harness.publish_bytes("this is no root at all").refused.empty());
        Client client(edge.port);
        client.send(kGet);
        CHECK(client.answer().status == 200);

        auto& ref = edge.snapshot.refs.back();  // the host
        ref.digest = fb::Digest(1, 2);
        ref.bytes = "garbage";
        const auto taken = harness.publish(edge.snapshot);
        CHECK(taken.refused.empty());
        REQUIRE(taken.failed.size() == 1);
        CHECK(taken.failed[0]->part.starts_with("host/Gateway/default/edge/0/"));
        CHECK(taken.failed[0]->part.ends_with("/00000000000000010000000000000002"));
        client.send(kGet);
        CHECK(client.answer().status == 200);
    });
}

TEST_CASE("worker: a standby serves nothing until it is activated; what waited in the queue is served then") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend(echo_http("one"));
        Harness harness(kind);
        const std::uint16_t port = harness.open("tcp/http");
        Snapshot snapshot;
        snapshot.backends("b", {at(backend.port)});
        snapshot.host("h", {RuleSpec{.backends = {{"b", 1}}}});
        snapshot.port(fb::PortMode::Http, {snapshot.listener(fb::ListenerMode::Http, "", {{"a.test", "h"}})}, "tcp/http", port);
        CHECK(harness.publish(snapshot).standby);
        Client client(port);
        client.send(kGet);
        pollfd polled = {client.fd(), POLLIN, 0};
        CHECK(::poll(&polled, 1, 100) == 0);
        harness.activate();
        CHECK(client.answer().status == 200);
    });
}

TEST_CASE("worker: a socket that comes after its port was published is served") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend(echo_http("one"));
        Harness harness(kind);
        Snapshot snapshot;
        snapshot.backends("b", {at(backend.port)});
        snapshot.host("h", {RuleSpec{.backends = {{"b", 1}}}});
        snapshot.port(fb::PortMode::Http, {snapshot.listener(fb::ListenerMode::Http, "", {{"a.test", "h"}})}, "tcp/http", 80);
        harness.activate();
        REQUIRE(harness.publish(snapshot).refused.empty());
        const std::uint16_t port = harness.open("tcp/http");
        Client client(port);
        client.send(kGet);
        CHECK(client.answer().status == 200);
    });
}

TEST_CASE("worker: the access log goes where the keeper says, also after another start of the file") {
    on_both_kinds([](ring::Kind kind) {
        Backend backend(echo_http("one"));
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        edge.snapshot.root.access_log = std::make_unique<fb::AccessLogT>();
        REQUIRE(harness.publish(edge.snapshot).refused.empty());
        for (const char* target : {"/first", "/second"}) {
            std::array<int, 2> ends{};
            REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
            const Fd read(ends[0]);
            {
                const Fd write(ends[1]);
                harness.put(keeper::ItemKind::AccessLog, "", {write.get()});
            }
            REQUIRE(harness.publish(edge.snapshot).refused.empty());  // so that it has arrived
            Client client(edge.port);
            client.send(std::string("GET ") + target + " HTTP/1.1\r\nHost: a.test\r\n\r\n");
            REQUIRE(client.answer().status == 200);
            char line[4096] = {};
            REQUIRE(::read(read.get(), line, sizeof line - 1) > 0);
            CHECK(std::string_view(line).find(std::string("\"target\":\"") + target + "\"") != std::string_view::npos);
        }
        CHECK(harness.total(&SlotStats::log_lines) == 2);
        CHECK(harness.total(&SlotStats::log_lines_lost) == 0);
    });
}

TEST_CASE("worker: drain finishes what runs, closes what waits, and ends") {
    on_both_kinds([](ring::Kind kind) {
        std::atomic<bool> go = false;
        Backend backend([&](int fd) {
            read_request(fd);
            while (!go) {
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
            }
            send_all(fd, response("late"));
        });
        Harness harness(kind);
        OneHost edge(harness, {backend.port});
        Client idle(edge.port);
        idle.send("GET / HTTP/1.1\r\nHost: nobody\r\n\r\n");
        CHECK(idle.answer().status == 404);
        Client busy(edge.port);
        busy.send(kGet);
        REQUIRE(eventually([&] { return backend.connections == 1; }));
        keeper::DrainT drain;
        drain.deadline_ms = 10'000;
        harness.say(drain);
        CHECK(idle.rest().empty());
        go = true;
        const auto answer = busy.answer();
        CHECK(answer.body == "late");
        CHECK(answer.header("Connection") == "close");
        harness.join();
        CHECK(harness.run_ok);
    });
}
