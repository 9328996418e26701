// SPDX-License-Identifier: Apache-2.0
// Writes state files on a thread of its own: a disk may take its time, and the daemon's cycle does not wait for it. Of each file the newest
// text wins, whichever way it came.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "ctl/daemon/state_dir.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

class StateWriter {
public:
    using Text = std::function<std::string()>;  // called on the writer's thread, once at most
    using Done = std::map<std::string, Status>;  // by name
    // What was asked for at a time is written, or not; on the writer's thread.
    using Told = std::function<void(Done done, std::chrono::steady_clock::duration took)>;

    // `state` outlives it.
    StateWriter(const StateDir& state, Told told);
    ~StateWriter() { finish(); }

    // By the files' names in the folder. What waits for the same file is dropped.
    void later(std::map<std::string, Text> texts);
    // On the caller's thread. What waits for the same file is dropped, what is being written to it is waited for, what became of it is not told.
    Status now(const std::string& name, const std::string& text);
    // Writes what waits; nothing is taken from then on.
    void finish();

private:
    void run();

    const StateDir& state_;
    Told told_;
    std::mutex mutex_;  // of what follows
    std::condition_variable changed_;
    std::map<std::string, Text> waiting_;
    std::string writing_;  // name; empty: none
    Done done_;            // not yet told
    bool over_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace penstock::daemon
