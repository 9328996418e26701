// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/state_writer.hpp"

#include <utility>

#include "userspace/base/files.hpp"

namespace penstock::daemon {

namespace {

constexpr unsigned kMode = 0600;

}  // namespace

StateWriter::StateWriter(Told told) : told_(std::move(told)), thread_([this] { run(); }) {}

void StateWriter::later(std::map<std::string, Text> texts) {
    const std::lock_guard lock(mutex_);
    for (auto& [path, text] : texts) {
        waiting_.insert_or_assign(path, std::move(text));
    }
    changed_.notify_all();
}

Status StateWriter::now(const std::string& path, const std::string& text) {
    std::unique_lock lock(mutex_);
    waiting_.erase(path);
    changed_.wait(lock, [&] { return writing_ != path; });
    done_.erase(path);
    return write_file(path, text, kMode);
}

void StateWriter::finish() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void StateWriter::run() {
    std::unique_lock lock(mutex_);
    std::chrono::steady_clock::duration took{};
    while (true) {
        changed_.wait(lock, [&] { return over_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        auto next = waiting_.extract(waiting_.begin());
        writing_ = next.key();
        lock.unlock();
        const auto begun = std::chrono::steady_clock::now();
        Status status = write_file(next.key(), next.mapped()(), kMode);
        next.mapped() = {};  // what it holds goes here, not under the lock
        took += std::chrono::steady_clock::now() - begun;
        lock.lock();
        writing_.clear();
        done_.insert_or_assign(next.key(), std::move(status));
        changed_.notify_all();
        if (waiting_.empty()) {
            Done done = std::exchange(done_, {});
            lock.unlock();
            told_(std::move(done), std::exchange(took, {}));
            lock.lock();
        }
    }
}

}  // namespace penstock::daemon
