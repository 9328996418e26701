// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/state_writer.hpp"

#include <utility>

#include "userspace/base/files.hpp"

namespace penstock::daemon {

namespace {

Status write(const StateDir& state, const std::string& name, const std::string& text) { return write_file(state.file(name), text, 0600); }

}  // namespace

StateWriter::StateWriter(const StateDir& state, Told told) : state_(state), told_(std::move(told)), thread_([this] { run(); }) {}

void StateWriter::later(std::map<std::string, Text> texts) {
    const std::lock_guard lock(mutex_);
    for (auto& [name, text] : texts) {
        waiting_.insert_or_assign(name, std::move(text));
    }
    changed_.notify_all();
}

Status StateWriter::now(const std::string& name, const std::string& text) {
    std::unique_lock lock(mutex_);
    waiting_.erase(name);
    changed_.wait(lock, [&] { return writing_ != name; });
    done_.erase(name);
    return write(state_, name, text);
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
        Status status = write(state_, next.key(), next.mapped()());
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
