// SPDX-License-Identifier: Apache-2.0
// The daemon's one thread of work: descriptors, timers, and work posted by the threads of the control API. Everything that changes
// state runs here, one thing at a time, so the stages need no locks. Only `post` and `stop` may be called from other threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

class Loop {
public:
    using Clock = std::chrono::steady_clock;
    using Time = Clock::time_point;
    using Task = std::function<void()>;

    static Result<std::unique_ptr<Loop>> open();

    // Calls `ready` while the descriptor is readable (or has hung up). The descriptor stays the caller's: unwatch before closing it.
    Status watch(int fd, Task ready);
    void unwatch(int fd);

    // One timer per name: setting it again moves it. It fires once.
    void at(const char* name, Time when, Task task);
    void cancel(const char* name);
    [[nodiscard]] bool pending(const char* name) const { return timers_.contains(name); }

    // From any thread; in order. False: run() is over, and the task will not run; what was posted before that has.
    bool post(Task task);
    void stop();           // from any thread and from signal handlers' descriptors; run() returns after the current task
    void run();

private:
    Loop(Fd epoll, Fd wake) : epoll_(std::move(epoll)), wake_(std::move(wake)) {}
    void run_posted();
    void run_timers();
    [[nodiscard]] int wait_ms() const;

    Fd epoll_;
    Fd wake_;
    std::map<int, Task> watches_;
    std::map<std::string, std::pair<Time, Task>> timers_;
    std::mutex mutex_;  // of posted_ and over_
    std::vector<Task> posted_;
    bool over_ = false;
    bool stopped_ = false;  // the loop's thread's own
};

}  // namespace penstock::daemon
