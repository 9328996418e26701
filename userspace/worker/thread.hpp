// SPDX-License-Identifier: Apache-2.0
// One slot of the worker: a thread with its loop, its own listening sockets and the tables that it serves now. The main thread talks
// to it by posts only; tables and descriptors come with them.
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "userspace/base/fd.hpp"
#include "userspace/proxy/context.hpp"

namespace penstock::worker {

// Of one slot: a descriptor per port, by the port's socket name. The thread's own.
using SlotSockets = std::map<std::string, Fd>;

class Thread {
public:
    // Starts the thread and waits until its loop stands. `kernel_tls`: kTLS may be tried. The references outlive it.
    static Result<std::unique_ptr<Thread>> start(const ring::Options& options, bool kernel_tls, StatsPage& page, std::uint32_t slot, proxy::SharedPage& shared,
                                                 const proxy::NewestTables& newest, proxy::LineWriter& log);
    Thread(const Thread&) = delete;
    ~Thread();  // stops and joins

    // The newest tables are others: takes them, if nothing that began meanwhile has. `fresh`: sockets that it does not have yet, or has otherwise.
    // Those that the tables do not name any more are closed. Without `accept` nothing is accepted (standby).
    void serve(SlotSockets fresh, bool accept);
    // Calls `what` on this thread once all that was asked before is done.
    void when_idle(std::function<void()> what) { loop_->post(std::move(what)); }
    // Accepts no more; connections end with their next answer, those that `wait` passes without a request then.
    void drain(ring::Duration wait);
    // Connections that are open now, and one if spans wait; any thread.
    [[nodiscard]] std::uint64_t open() const { return open_.load(std::memory_order_relaxed) + (context_->spans.busy() ? 1 : 0); }

    [[nodiscard]] ring::Kind kind() const { return loop_->kind(); }
    [[nodiscard]] const std::string& kind_reason() const { return loop_->reason(); }

private:
    // A listening socket. Shared by the map of sockets and the task that accepts from it.
    struct Served {
        std::string name;
        Fd waiting;               // until something is accepted from it
        ring::Listener listener;
        std::unique_ptr<ring::Scope> scope;  // of a UDP port's tasks
    };

    Thread(StatsPage& page, std::uint32_t slot, proxy::SharedPage& shared, const proxy::NewestTables& newest, proxy::LineWriter& log)
        : page_(page), stats_(page.slot[slot]), shared_(shared), newest_(newest), log_(log) {}
    void run(const ring::Options& options, bool kernel_tls, std::function<void(Status)> ready);
    void take(SlotSockets fresh, bool accept);
    void begin(const std::shared_ptr<Served>& served);
    void stop(Served& served);
    ring::Task<> accept_from(std::shared_ptr<Served> served);
    ring::Task<> end_waiting(ring::Duration wait);
    ring::Task<> serve_one(std::string name, ring::Socket client);

    StatsPage& page_;
    SlotStats& stats_;
    proxy::SharedPage& shared_;
    const proxy::NewestTables& newest_;
    proxy::LineWriter& log_;
    std::unique_ptr<ring::Loop> loop_;
    std::unique_ptr<proxy::Context> context_;             // this thread's
    std::map<std::string, std::shared_ptr<Served>> served_;  // this thread's
    bool accepting_ = false;                              // this thread's
    std::atomic<std::uint64_t> open_ = 0;
    std::promise<void> let_go_;  // the loop may die
    std::thread thread_;
    bool started_ = false;  // the loop stands, until the thread is told to stop
};

}  // namespace penstock::worker
