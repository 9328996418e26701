// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/board.hpp"

#include <algorithm>

namespace penstock::daemon {

Generation Board::get() const {
    const std::lock_guard lock(mutex_);
    return now_;
}

void Board::set(const Generation& now) {
    {
        const std::lock_guard lock(mutex_);
        now_ = {.wanted = std::max(now_.wanted, now.wanted),
                .applied = std::max(now_.applied, now.applied),
                .taken = std::max(now_.taken, now.taken)};
    }
    changed_.notify_all();
}

bool Board::wait_taken(std::uint64_t generation, std::chrono::milliseconds patience) const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return closed_ || now_.taken >= generation; });
    return now_.taken >= generation;
}

void Board::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_all();
}

}  // namespace penstock::daemon
