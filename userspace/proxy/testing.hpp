// SPDX-License-Identifier: Apache-2.0
// For tests only: an edge thread that serves a snapshot on loopback, between peers of a test.
#pragma once

#include <csignal>
#include <functional>
#include <future>

#include "userspace/proxy/ports.hpp"
#include "userspace/proxy/test_peers.hpp"
#include "userspace/proxy/test_snapshot.hpp"

namespace penstock::proxy::testing {

inline ring::Kind ring_kind() {
    const ring::Kind kind = GENERATE(ring::Kind::io_uring, ring::Kind::epoll);
    if (kind == ring::Kind::io_uring && !ring::Loop::probe_io_uring().ok()) {
        WARN("no io_uring here");
        return ring::Kind::epoll;
    }
    return kind;
}

// Runs `what` as a task on a loop of its own, to the end.
inline void on_loop(const std::function<ring::Task<>(ring::Loop&)>& what) {
    ring::Options options;
    options.kind = ring_kind();
    auto loop = ring::Loop::create(options);
    REQUIRE(loop.ok());
    const auto then_stop = [](ring::Loop& on, ring::Task<> task) -> ring::Task<> {
        co_await std::move(task);
        on.stop();
    };
    (*loop)->spawn(then_stop(**loop, what(**loop)));
    CHECK((*loop)->run() == 0);
}

// A worker thread with one listening port that is named "edge" in the tables; a datagram socket if its mode there is Udp.
class Edge {
public:
    Edge(ring::Kind kind, const Snapshot& snapshot, ring::Options options = {})
        : options_(options), listener_(snapshot.root.ports.at(0)->mode == fb::PortMode::Udp ? bound(SOCK_DGRAM) : listening()), at_(local_of(listener_.get())) {
        auto built = snapshot.build();
        REQUIRE(built.ok());
        tables_ = built->tables;
        std::signal(SIGPIPE, SIG_IGN);  // as the worker does
        std::promise<void> ready;
        thread_ = std::thread([this, kind, &ready] { run(kind, ready); });
        ready.get_future().wait();
    }
    ~Edge() { stop(); }

    void stop() {
        if (thread_.joinable()) {
            loop_->stop();
            let_go_.set_value();
            thread_.join();
            CHECK(left_over_ == 0);
            CHECK(buffers_lent_ == 0);
        }
    }
    [[nodiscard]] const Endpoint& at() const { return at_; }
    [[nodiscard]] Peer client() const { return Peer::connect(at_); }
    [[nodiscard]] std::uint64_t reasons(Reason reason) const { return stats_->reasons[static_cast<std::size_t>(reason)]; }
    // Counters move after the bytes that a client sees: waits for it.
    [[nodiscard]] bool counted(Reason reason, std::uint64_t times = 1) const {
        return eventually([&] { return reasons(reason) == times; });
    }
    [[nodiscard]] const SlotStats& stats() const { return *stats_; }
    [[nodiscard]] SharedPage& shared() { return *shared_; }
    // Runs on the edge's thread, and waits for it.
    void on_thread(const std::function<void(Context&)>& what) {
        std::promise<void> done;
        loop_->post([&] {
            what(*context_);
            done.set_value();
        });
        done.get_future().wait();
    }
    // Whether a connection to a backend is on its way.
    [[nodiscard]] bool dials() {
        bool found = false;
        on_thread([&](Context& context) { found = !context.dialling.empty(); });
        return found;
    }
    void serve(const Snapshot& snapshot) {
        auto built = snapshot.build(tables_.get());
        REQUIRE(built.ok());
        tables_ = built->tables;
        on_thread([this](Context& context) { context.take(tables_); });
    }
    static bool eventually(const std::function<bool()>& holds) {
        for (int i = 0; i < kPatienceMs; ++i) {
            if (holds()) {
                return true;
            }
            std::this_thread::sleep_for(1ms);
        }
        return false;
    }

private:
    void run(ring::Kind kind, std::promise<void>& ready) {
        options_.kind = kind;
        auto loop = ring::Loop::create(options_);
        if (!loop.ok()) {
            throw std::runtime_error(loop.error().report());
        }
        loop_ = std::move(*loop);
        context_ = std::make_unique<Context>(*loop_, *stats_, *shared_);
        context_->tables = tables_;
        context_->ladder.kernel = std::getenv("PST_TEST_KTLS") != nullptr;
        if (tables_->ports.at("edge").mode == fb::PortMode::Udp) {
            auto port = loop_->bind(std::move(listener_));
            loop_->spawn(serve_datagrams(*context_, "edge", std::move(*port)));
        } else {
            loop_->spawn(accept_all());
        }
        ready.set_value();
        left_over_ = loop_->run();
        context_->pool.clear();
        buffers_lent_ = loop_->buffers_lent();
        context_.reset();
        let_go_.get_future().wait();  // stop() still uses the loop
        loop_.reset();                // here: a ring belongs to its thread
    }
    ring::Task<> accept_all() {
        auto listener = loop_->listen(std::move(listener_));
        for (;;) {
            ring::Opened client = co_await listener->accept();
            if (!client) {
                co_return;
            }
            loop_->spawn(serve_connection(*context_, "edge", std::move(client.socket)));
        }
    }

    ring::Options options_;
    Fd listener_;
    Endpoint at_;
    std::shared_ptr<const Tables> tables_;
    std::unique_ptr<SlotStats> stats_ = std::make_unique<SlotStats>();
    std::unique_ptr<SharedPage> shared_ = std::make_unique<SharedPage>();
    std::unique_ptr<ring::Loop> loop_;
    std::unique_ptr<Context> context_;
    std::size_t left_over_ = 0;
    unsigned buffers_lent_ = 0;
    std::promise<void> let_go_;
    std::thread thread_;
};

}  // namespace penstock::proxy::testing
