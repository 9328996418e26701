// SPDX-License-Identifier: Apache-2.0
// The tables that all threads of a worker are to serve now. They change for all at one moment: a thread asks before each connection and request,
// so that nobody is served by older ones after somebody was served by these, whenever each thread's turn comes to hear of them.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>

#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

class NewestTables {
public:
    void set(std::shared_ptr<const Tables> tables) {
        const std::lock_guard lock(mutex_);
        tables_ = std::move(tables);
        now_.store(tables_.get(), std::memory_order_release);
    }
    // Null: `mine` are the newest, or there are none.
    [[nodiscard]] std::shared_ptr<const Tables> other_than(const Tables* mine) const {
        if (now_.load(std::memory_order_acquire) == mine) {
            return nullptr;
        }
        const std::lock_guard lock(mutex_);
        return tables_;
    }

private:
    std::atomic<const Tables*> now_ = nullptr;
    mutable std::mutex mutex_;
    std::shared_ptr<const Tables> tables_;
};

}  // namespace penstock::proxy
