// SPDX-License-Identifier: Apache-2.0
// The worker's main thread: it hears from the keeper, keeps what came, builds tables from it off the data threads and hands them over.
// A root that cannot be used changes nothing; parts that cannot keep their last good version and are reported.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "schema/keeper_wire.hpp"
#include "userspace/base/memfd.hpp"
#include "userspace/base/trimmer.hpp"
#include "userspace/base/zeroed.hpp"
#include "userspace/worker/thread.hpp"

namespace penstock::worker {

struct Config {
    std::uint32_t slots = 1;
    ring::Kind ring = ring::Kind::automatic;
    bool kernel_tls = false;
    std::function<Status()> confine = [] { return success(); };  // called when the threads stand, before a snapshot is read
};

class Worker {
public:
    explicit Worker(Config config) : config_(std::move(config)) {}
    Worker(const Worker&) = delete;
    ~Worker();

    // Serves what the keeper at the other end of `channel` says until it says Drain (and all is done) or goes away.
    Status run(Fd channel);

private:
    struct Memory {
        Fd fd;
        std::optional<SealedBytes> content;  // while tables are built of it
    };

    Status start_threads();
    ring::Task<> listen_to_keeper();
    void take(keeper::MessageT& message, std::vector<Fd> fds);
    void put(const keeper::PutT& put, std::vector<Fd> fds);
    Status map_stats(const Fd& fd);
    void publish(const keeper::PublishT& publish);
    void hand_over();
    void drain(std::uint32_t deadline_ms);
    ring::Task<> wait_for_drain(ring::Time deadline);
    void say(std::vector<std::uint8_t> bytes);
    Result<std::span<const std::uint8_t>> bytes_of(keeper::ItemKind kind, const std::string& name);

    Config config_;
    Fd channel_;
    std::unique_ptr<ring::Loop> loop_;
    Zeroed<proxy::SharedPage> shared_;  // once there are threads
    proxy::NewestTables newest_;
    StatsPage* stats_ = nullptr;  // mapped; of our own where the keeper gave none
    Fd log_to_;                               // what the keeper opened for it, until log_ is there
    std::unique_ptr<proxy::LineWriter> log_;  // outlives the threads
    std::vector<std::unique_ptr<Thread>> threads_;

    std::map<std::pair<keeper::ItemKind, std::string>, Memory> memory_;
    std::vector<Memory*> in_use_;  // whose content is here
    std::map<std::string, std::vector<Fd>> sockets_;
    std::map<std::string, bool> handed_;  // sockets that the threads have
    std::shared_ptr<const proxy::Tables> tables_;
    Trimmer trimmer_;  // by the number of parts
    bool active_ = false;
    bool draining_ = false;
};

}  // namespace penstock::worker
