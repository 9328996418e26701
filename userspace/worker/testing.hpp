// SPDX-License-Identifier: Apache-2.0
// For tests of the worker: a keeper in the test, and what it publishes.
#pragma once

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "schema/keeper.hpp"
#include "schema/keeper_wire.hpp"
#include "schema/snapshot_generated.h"
#include "schema/stats_page.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/channel.hpp"
#include "userspace/base/memfd.hpp"
#include "userspace/proxy/test_snapshot.hpp"
#include "userspace/worker/test_peers.hpp"
#include "userspace/worker/worker.hpp"

namespace penstock::worker::testing {

namespace fb = penstock::snapshot;
using proxy::testing::RuleSpec;
using proxy::testing::Snapshot;

inline std::span<const std::uint8_t> bytes_of(const std::string& text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// Runs a Worker on a thread and talks to it as the keeper does.
class Harness {
public:
    explicit Harness(ring::Kind kind, std::uint32_t slots = 2) : slots_(slots), page_fd_(::memfd_create("stats", MFD_CLOEXEC)) {
        REQUIRE(::ftruncate(page_fd_.get(), sizeof(StatsPage)) == 0);
        page = static_cast<StatsPage*>(::mmap(nullptr, sizeof(StatsPage), PROT_READ | PROT_WRITE, MAP_SHARED, page_fd_.get(), 0));
        page->magic = kStatsMagic;
        page->version = kStatsVersion;
        page->slots = slots;
        auto pair = channel_pair();
        REQUIRE(pair.ok());
        channel_ = std::move(pair->first);
        worker_ = std::make_unique<Worker>(Config{slots, kind});
        thread_ = std::thread([this, end = std::make_shared<Fd>(std::move(pair->second))] { run_ok = worker_->run(std::move(*end)).ok(); });
        put(keeper::ItemKind::StatsPage, "", {page_fd_.get()});
    }
    ~Harness() {
        channel_.reset();
        join();
        worker_.reset();
        ::munmap(page, sizeof(StatsPage));
    }
    void join() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    template <class Table>
    void say(Table table, const std::vector<int>& fds = {}) {
        REQUIRE(channel_send(channel_.get(), keeper::encode(std::move(table)), fds).ok());
    }
    void put(keeper::ItemKind kind, const std::string& name, const std::vector<int>& fds) {
        keeper::PutT message;
        message.kind = kind;
        message.name = name;
        say(std::move(message), fds);
    }
    void put_bytes(keeper::ItemKind kind, const std::string& name, const std::string& bytes) {
        auto fd = sealed_memfd(name.substr(0, 200), bytes_of(bytes));
        REQUIRE(fd.ok());
        put(kind, name, {fd->get()});
    }
    // Sockets for a port of that name; gives the port's number.
    std::uint16_t open(const std::string& name, int type = SOCK_STREAM) {
        std::uint16_t number = 0;
        std::vector<Fd> fds;
        std::vector<int> numbers;
        for (std::uint32_t slot = 0; slot < slots_; ++slot) {
            fds.push_back(bound(type, number));
            numbers.push_back(fds.back().get());
        }
        put(keeper::ItemKind::Socket, name, numbers);
        return number;
    }
    keeper::TakenT publish(Snapshot& snapshot) {
        snapshot.root.generation = ++generation_;
        const std::string root = snapshot.root_bytes();
        for (const auto& [name, bytes] : snapshot.lists) {
            if (sent_.emplace(name, true).second) {
                put_bytes(keeper::ItemKind::Parts, name, bytes);
            }
        }
        for (const auto& [name, pem] : snapshot.keys) {
            put_bytes(keeper::ItemKind::Key, name, pem);
        }
        return publish_bytes(root);
    }
    keeper::TakenT publish_bytes(const std::string& root) {
        const std::string name = "root-" + std::to_string(generation_);
        put_bytes(keeper::ItemKind::Root, name, root);
        keeper::PublishT message;
        message.generation = generation_;
        message.root = name;
        say(std::move(message));
        return taken();
    }
    void activate() { say(keeper::ActivateT{}); }
    keeper::TakenT taken() {
        for (;;) {
            pollfd polled = {channel_.get(), POLLIN, 0};
            REQUIRE(::poll(&polled, 1, 20'000) == 1);
            auto received = channel_receive(channel_.get());
            REQUIRE(received.ok());
            auto message = keeper::decode(received->bytes);
            if (auto* answer = message->body.AsTaken()) {
                return std::move(*answer);
            }
        }
    }
    [[nodiscard]] std::uint64_t reason(Reason which) const {
        std::uint64_t sum = 0;
        for (std::uint32_t slot = 0; slot < slots_; ++slot) {
            sum += page->slot[slot].reasons[static_cast<std::size_t>(which)].load();
        }
        return sum;
    }
    [[nodiscard]] std::uint64_t total(Counter SlotStats::* counter) const {
        std::uint64_t sum = 0;
        for (std::uint32_t slot = 0; slot < slots_; ++slot) {
            sum += (page->slot[slot].*counter).load();
        }
        return sum;
    }

    StatsPage* page = nullptr;
    std::atomic<bool> run_ok = false;

private:
    std::uint32_t slots_;
    Fd page_fd_;
    Fd channel_;
    std::unique_ptr<Worker> worker_;
    std::thread thread_;
    std::map<std::string, bool> sent_;
    std::uint64_t generation_ = 0;
};

// True as soon as `what` is, false after a while.
inline bool eventually(const std::function<bool()>& what) {
    for (int i = 0; i < 1000; ++i) {
        if (what()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

inline constexpr const char* kGet = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

inline Endpoint at(std::uint16_t port) { return {*IpAddress::parse("127.0.0.1"), port}; }
inline std::vector<Endpoint> at(const std::vector<std::uint16_t>& ports) {
    std::vector<Endpoint> out;
    for (const std::uint16_t port : ports) {
        out.push_back(at(port));
    }
    return out;
}

// One HTTP port whose host a.test leads to `backends`.
struct OneHost {
    OneHost(Harness& harness, const std::vector<std::uint16_t>& backends) {
        port = harness.open("tcp/http");
        fill(backends);
        harness.activate();
        REQUIRE(harness.publish(snapshot).refused.empty());
    }
    void fill(const std::vector<std::uint16_t>& backends, const std::string& marker = "") {
        snapshot = Snapshot();
        snapshot.backends("b", at(backends));
        RuleSpec rule{.backends = {{"b", 1}}};
        if (!marker.empty()) {
            rule.rule.filters = std::make_unique<fb::FiltersT>();
            rule.rule.filters->response_headers = std::make_unique<fb::HeaderEditT>();
            auto field = std::make_unique<fb::NameValueT>();
            field->name = "X-Version";
            field->value = marker;
            rule.rule.filters->response_headers->set.push_back(std::move(field));
        }
        snapshot.host("h", {rule});
        snapshot.port(fb::PortMode::Http, {snapshot.listener(fb::ListenerMode::Http, "", {{"a.test", "h"}})}, "tcp/http", port);
    }
    Snapshot snapshot;
    std::uint16_t port = 0;
};

inline void on_both_kinds(const std::function<void(ring::Kind)>& test) {
    for (const ring::Kind kind : {ring::Kind::epoll, ring::Kind::io_uring}) {
        if (kind == ring::Kind::io_uring && !ring::Loop::probe_io_uring().ok()) {
            WARN("io_uring does not work here");
            continue;
        }
        INFO(ring::to_string(kind));
        test(kind);
    }
}

}  // namespace penstock::worker::testing
