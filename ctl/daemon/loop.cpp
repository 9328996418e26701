// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/loop.hpp"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "userspace/base/assert.hpp"

namespace penstock::daemon {

Result<std::unique_ptr<Loop>> Loop::open() {
    Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    if (!epoll.valid()) {
        return sys_error("epoll_create1");
    }
    Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.valid()) {
        return sys_error("eventfd");
    }
    std::unique_ptr<Loop> loop(new Loop(std::move(epoll), std::move(wake)));
    PST_TRY(loop->watch(loop->wake_.get(), [raw = loop.get()] { raw->run_posted(); }));
    return loop;
}

Status Loop::watch(int fd, Task ready) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        return sys_error(fmt::format("watch descriptor {}", fd));
    }
    watches_[fd] = std::move(ready);
    return success();
}

void Loop::unwatch(int fd) {
    if (watches_.erase(fd) > 0) {
        ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
}

void Loop::at(const char* name, Time when, Task task) { timers_[name] = {when, std::move(task)}; }

void Loop::cancel(const char* name) { timers_.erase(name); }

bool Loop::post(Task task) {
    {
        const std::lock_guard lock(mutex_);
        if (over_) {
            return false;
        }
        posted_.push_back(std::move(task));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t wrote = ::write(wake_.get(), &one, sizeof(one));
    return true;
}

void Loop::stop() {
    post([this] { stopped_ = true; });
}

void Loop::run_posted() {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof(count));
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(posted_);
    }
    for (const Task& task : tasks) {
        task();
    }
}

void Loop::run_timers() {
    const Time now = Clock::now();
    std::vector<std::string> due;
    for (const auto& [name, timer] : timers_) {
        if (timer.first <= now) {
            due.push_back(name);
        }
    }
    // A task may set or cancel timers, also its own. One that it sets to the past has to wait for the next turn: descriptors come first.
    for (const std::string& name : due) {
        const auto found = timers_.find(name);
        if (found == timers_.end() || found->second.first > now) {
            continue;
        }
        const Task task = std::move(found->second.second);
        timers_.erase(found);
        task();
    }
}

int Loop::wait_ms() const {
    Time first = Time::max();
    for (const auto& [name, timer] : timers_) {
        first = std::min(first, timer.first);
    }
    if (first == Time::max()) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(first - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Loop::run() {
    std::array<epoll_event, 32> events;
    while (!stopped_) {
        const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
        PST_ASSERT(count >= 0 || errno == EINTR);
        for (int i = 0; i < count && !stopped_; ++i) {
            const auto found = watches_.find(events[static_cast<std::size_t>(i)].data.fd);
            if (found != watches_.end()) {
                const Task task = found->second;  // a copy: the task may unwatch itself
                task();
            }
        }
        run_timers();
    }
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    run_posted();  // somebody waits for what they answer
}

}  // namespace penstock::daemon
