// SPDX-License-Identifier: Apache-2.0
// The daemon's end of the keeper's channel: what is held, putting and dropping, publishing, and what workers say. The keeper always reads,
// so sends may block for as long as it takes to copy; receiving never blocks after open().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ctl/plan/publish.hpp"
#include "schema/keeper_wire.hpp"
#include "schema/stats_page.hpp"
#include "userspace/base/channel.hpp"

namespace penstock::apply {

struct WorkerProcess {
    int pid = 0;
    keeper::WorkerState state = keeper::WorkerState::Started;
    std::string detail;
    std::uint32_t restarts = 0;     // of workers so far
    std::uint64_t generation = 0;   // of the root that it serves; 0: none yet
    std::string ring;               // "io_uring", "epoll"; empty: it has not said so yet
    std::string ring_reason;
    std::string unconfined;         // why it runs without its filter of system calls; empty: it has it
};

class KeeperLink {
public:
    // Says Hello and reads what the keeper holds; waits for it at most `patience_ms`. Errc::not_found without a keeper (kKeeperFdEnv unset).
    static Result<std::unique_ptr<KeeperLink>> open(int patience_ms = 5000);
    static Result<std::unique_ptr<KeeperLink>> over(Fd channel, int patience_ms = 5000);
    ~KeeperLink();
    KeeperLink(const KeeperLink&) = delete;

    [[nodiscard]] int fd() const { return channel_.get(); }  // readable: call receive()
    // Takes all that has come. An error: the keeper is gone, or is none.
    Status receive();
    std::function<void(const keeper::TakenT&)> on_taken;             // of the active worker

    [[nodiscard]] std::uint32_t slots() const { return slots_; }
    [[nodiscard]] int keeper_pid() const { return keeper_pid_; }
    [[nodiscard]] const plan::Items& held() const { return held_; }
    [[nodiscard]] std::uint64_t published_generation() const { return published_generation_; }
    [[nodiscard]] const std::string& published_root() const { return published_root_; }  // name of the Root item; "" if none
    [[nodiscard]] const std::map<int, WorkerProcess>& workers() const { return workers_; }  // by pid; those that live
    [[nodiscard]] std::uint32_t worker_restarts() const { return worker_restarts_; }
    [[nodiscard]] const StatsPage* stats() const { return stats_; }  // null: none, or of another layout
    // The part of it that is the daemon's to write; null as above.
    [[nodiscard]] DaemonStats* daemon_stats() const { return stats_ == nullptr ? nullptr : &stats_->daemon; }

    Status put(keeper::ItemKind kind, const std::string& name, const std::vector<int>& fds);
    // As a sealed memory file. It may go out with what is said next: at the latest with publish().
    Status put_bytes(keeper::ItemKind kind, const std::string& name, std::string_view bytes);
    // Makes some of the next memory files ahead: making one takes as long as filling it. For when nobody waits.
    void make_files();
    Status drop(keeper::ItemKind kind, const std::string& name);
    // `drain_ms`: how long connections of a worker that ends may go on; 0: the keeper's own default.
    Status publish(std::uint64_t generation, const std::string& root, std::uint32_t drain_ms = 0);
    // Says that this daemon's start is over.
    Status tell_ready();

private:
    explicit KeeperLink(Fd channel) : channel_(std::move(channel)) {}
    Status wait_for_sync(int patience_ms);
    Status receive_one(bool& none);
    void take(keeper::MessageT& message, std::vector<Fd>& fds);
    void map_stats(const Fd& fd);
    struct Brought {
        keeper::ItemKind kind;
        std::string name;
        Fd file;
    };
    // After what waits.
    Status send(const std::vector<std::uint8_t>& bytes, const std::vector<int>& fds = {});
    Status send_waiting();
    [[nodiscard]] bool fit_one_publish() const;

    Fd channel_;
    std::vector<Fd> files_;         // made ahead, and empty
    std::vector<Brought> waiting_;  // put, and not sent: what could not be sent stays
    bool synced_ = false;
    std::string refused_;
    int keeper_pid_ = 0;
    std::uint32_t slots_ = 0;
    plan::Items held_;
    std::uint64_t published_generation_ = 0;
    std::string published_root_;
    std::map<int, WorkerProcess> workers_;
    std::uint32_t worker_restarts_ = 0;
    StatsPage* stats_ = nullptr;
};

}  // namespace penstock::apply
