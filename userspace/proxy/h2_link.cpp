// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h2_link.hpp"

#include <cerrno>

namespace penstock::proxy {

namespace {
constexpr std::size_t kSendMax = 64 * 1024;   // of one send: a slow reader holds no more than that
constexpr std::size_t kKeepMax = 16 * 1024;   // of its memory, between sends
}  // namespace

std::uint64_t milliseconds(ring::Time time) {
    // Never 0, which sessions take for "not at all".
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count()) + 1;
}

ring::Task<> H2Link::run(std::string first) {
    ring::Task<> reading = read(std::move(first));
    ring::Task<> writing = write();
    co_await ring::both(std::move(reading).in(scope_), std::move(writing).in(scope_));
    ended_ = true;
    if (!session_.closed()) {
        session_.close();  // whatever is still open hears of it
    }
}

ring::Time H2Link::patience_ends() const {
    // With streams, too, it is looked at now and then: the writer ends the last one, and windows close, while the reader waits.
    ring::Time until = session_.streams() == 0 ? quiet_since_ + std::chrono::milliseconds(patience_.idle_ms)
                                               : context_.loop.now() + std::chrono::milliseconds(std::min(patience_.idle_ms, patience_.send_ms));
    if (const std::uint64_t since = session_.stalled_since(); since != 0) {
        const auto left = std::chrono::milliseconds(patience_.send_ms) - std::chrono::milliseconds(now_ms() - since);
        until = std::min(until, context_.loop.now() + std::max(left, std::chrono::milliseconds(0)));
    }
    if (const std::uint64_t since = session_.head_since(); since != 0) {
        const auto left = std::chrono::milliseconds(patience_.head_ms) - std::chrono::milliseconds(now_ms() - since);
        until = std::min(until, context_.loop.now() + std::max(left, std::chrono::milliseconds(0)));
    }
    return until;
}

// Frames that open no stream do not prolong a connection's life.
void H2Link::note_quiet() {
    const bool busy = session_.streams() != 0;
    if (busy_ && !busy) {
        quiet_since_ = context_.loop.now();
    }
    busy_ = busy;
}

// True: it is over.
bool H2Link::out_of_patience() {
    if (context_.loop.now() < patience_ends()) {
        return false;
    }
    if (session_.head_since() != 0) {
        context_.count_reason(Reason::header_timeout);
        session_.close(http::H2Code::enhance_your_calm);
    } else if (session_.stalled_since() != 0) {
        context_.count_reason(Reason::idle_timeout);
        session_.close(http::H2Code::enhance_your_calm);
    } else if (session_.streams() == 0) {
        session_.drain_now();
    } else {
        return false;
    }
    return true;
}

ring::Task<> H2Link::read(std::string first) {
    quiet_since_ = context_.loop.now();
    bool alive = first.empty() || session_.feed(first, now_ms());
    while (alive && !session_.closed()) {
        wake();
        if (stream_.data().empty()) {
            const int filled = co_await stream_.fill(patience_ends());
            if (filled == ETIMEDOUT) {
                alive = !out_of_patience();
                continue;
            }
            if (filled != 0) {
                scope_.cancel();  // nobody is there any more
                co_return;
            }
        }
        const std::string_view data = stream_.data();
        alive = session_.feed(data, now_ms());
        stream_.consume(data.size());
        note_quiet();
    }
    wake();  // the GOAWAY is left to say
}

ring::Task<> H2Link::write() {
    while (!session_.closed()) {
        if (!session_.want_write()) {
            if (co_await wake_.wait() != 0) {
                break;
            }
            continue;
        }
        out_.clear();
        session_.output(out_, kSendMax, now_ms());
        if (out_.empty()) {
            continue;
        }
        const int sent = co_await stream_.send(out_, context_.in_ms(patience_.send_ms));
        if (sent != 0) {
            break;
        }
        note_quiet();
        if (out_.capacity() > kKeepMax) {
            out_ = std::string();
        }
    }
    if (session_.closed() && scope_.cancelled() == 0) {
        co_await stream_.finish(context_.in_ms(1000));
    }
    scope_.cancel();
}

}  // namespace penstock::proxy
