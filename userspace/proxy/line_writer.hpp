// SPDX-License-Identifier: Apache-2.0
// Writes lines to a descriptor from a thread of its own, so that nobody who serves ever waits for whoever reads them: not for a full
// pipe, not for a slow disk. What waits is bounded; beyond, lines are dropped and their giver counts them. The descriptor's flags stay as
// they are, as other processes may share it: O_NONBLOCK on an inherited standard output would be everybody's.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "userspace/base/fd.hpp"

namespace penstock::proxy {

class LineWriter {
public:
    static constexpr std::size_t kWaitingMax = 4U << 20;  // bytes

    explicit LineWriter(Fd to);
    LineWriter(const LineWriter&) = delete;
    // Writes what waits, as long as the reader takes it within a second; what it does not take is lost.
    ~LineWriter();

    // Whole lines; they are dropped if too much waits. The number of lines, of anybody, that were lost since the last call. Any thread;
    // never blocks.
    [[nodiscard]] std::uint64_t put(std::string lines);
    // What waits, and what comes, goes there; the one before is closed. Any thread; never blocks.
    void go_on_with(Fd to);

private:
    struct Shared {
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<std::string> waiting;
        std::size_t bytes = 0;     // of waiting, and of what is being written
        std::uint64_t lost = 0;    // lines that nobody was told of yet
        Fd next;                   // where to go on, if anywhere else
        bool stopping = false;
    };
    static void run(const std::shared_ptr<Shared>& shared);

    std::shared_ptr<Shared> shared_;  // the thread outlives this if the reader is stuck
    std::future<void> ended_;
    std::thread thread_;
};

}  // namespace penstock::proxy
