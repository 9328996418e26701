// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/line_writer.hpp"

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

namespace penstock::proxy {

namespace {

constexpr auto kLastWords = std::chrono::seconds(1);
constexpr int kPollMs = 200;

// A file takes all at once, and what is no descriptor refuses at once.
bool is_polled(int fd) {
    struct stat info = {};
    return ::fstat(fd, &info) == 0 && !S_ISREG(info.st_mode);
}

std::uint64_t lines_in(std::string_view text) { return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')); }

// How much of `lines` leaves in one write. A pipe takes up to PIPE_BUF bytes whole: lines of several processes do not mix, and a write
// after poll() said yes does not block. A longer line is cut.
std::size_t portion(std::string_view lines, bool polled) {
    if (!polled || lines.size() <= PIPE_BUF) {
        return lines.size();
    }
    const std::size_t end = lines.rfind('\n', PIPE_BUF - 1);
    return end == std::string_view::npos ? PIPE_BUF : end + 1;
}

// What was not written: it cannot be, or `may_wait` says that it has taken too long.
template <class MayWait>
std::string_view write_all(int fd, bool polled, std::string_view lines, const MayWait& may_wait) {
    while (!lines.empty()) {
        pollfd ready = {fd, POLLOUT, 0};
        if (polled && ::poll(&ready, 1, kPollMs) == 0) {
            if (!may_wait()) {
                break;
            }
            continue;
        }
        const ssize_t wrote = ::write(fd, lines.data(), portion(lines, polled));
        if (wrote > 0) {
            lines.remove_prefix(static_cast<std::size_t>(wrote));
        } else if (wrote < 0 && errno != EINTR && errno != EAGAIN) {
            break;  // a full disk, no reader: the next lines may fare better
        }
    }
    return lines;
}

}  // namespace

LineWriter::LineWriter(Fd to) : shared_(std::make_shared<Shared>()) {
    shared_->next = std::move(to);
    std::promise<void> ended;
    ended_ = ended.get_future();
    thread_ = std::thread([shared = shared_, promise = std::move(ended)]() mutable {
        run(shared);
        promise.set_value();
    });
}

LineWriter::~LineWriter() {
    {
        const std::lock_guard lock(shared_->mutex);
        shared_->stopping = true;
    }
    shared_->changed.notify_one();
    if (ended_.wait_for(2 * kLastWords) == std::future_status::ready) {
        thread_.join();
    } else {
        thread_.detach();  // it hangs in a write: the process ends without it
    }
}

std::uint64_t LineWriter::put(std::string lines) {
    std::uint64_t lost = 0;
    {
        const std::lock_guard lock(shared_->mutex);
        lost = std::exchange(shared_->lost, 0);
        if (shared_->bytes + lines.size() > kWaitingMax) {
            return lost + lines_in(lines);
        }
        shared_->bytes += lines.size();
        shared_->waiting.push_back(std::move(lines));
    }
    shared_->changed.notify_one();
    return lost;
}

void LineWriter::go_on_with(Fd to) {
    {
        const std::lock_guard lock(shared_->mutex);
        std::swap(shared_->next, to);
    }
    shared_->changed.notify_one();
}

void LineWriter::run(const std::shared_ptr<Shared>& shared) {
    Fd fd;
    bool polled = false;
    std::chrono::steady_clock::time_point since;  // of the stop, as far as this thread has seen it
    const auto may_wait = [&] {
        const std::lock_guard lock(shared->mutex);
        if (!shared->stopping) {
            since = std::chrono::steady_clock::now();
        }
        return !shared->next.valid() && std::chrono::steady_clock::now() - since < kLastWords;
    };
    std::string lines;
    std::string_view left;  // of them
    std::unique_lock lock(shared->mutex);
    for (;;) {
        shared->changed.wait(lock, [&] { return shared->stopping || shared->next.valid() || !shared->waiting.empty(); });
        if (shared->next.valid()) {
            fd = std::move(shared->next);
            polled = is_polled(fd.get());
        }
        if (left.empty()) {
            if (shared->waiting.empty()) {
                if (shared->stopping) {
                    return;
                }
                continue;
            }
            lines = std::move(shared->waiting.front());
            shared->waiting.pop_front();
            left = lines;
        }
        lock.unlock();
        since = std::chrono::steady_clock::now();
        left = write_all(fd.get(), polled, left, may_wait);
        lock.lock();
        if (!left.empty() && shared->next.valid()) {
            continue;  // the rest goes there
        }
        shared->bytes -= lines.size();
        shared->lost += lines_in(left);
        if (!left.empty() && shared->stopping) {
            return;
        }
        left = {};
    }
}

}  // namespace penstock::proxy
