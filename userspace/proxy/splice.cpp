// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/splice.hpp"

#include <algorithm>
#include <cerrno>

#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

namespace {

constexpr std::uint64_t kLeast = 1 << 16;  // below, two descriptors more do not pay
constexpr int kRounds = 4;                 // of a pipe, before others have their turn

// All that the pipe holds.
ring::Task<int> empty(Context& context, ring::Pipe& pipe, Stream& to, Patience patience) {
    const auto deadline = [&] { return std::min(patience.deadline, context.loop.after(patience.stall)); };
    const int fresh = co_await to.before_raw(pipe.held(), deadline());
    if (fresh != 0) {
        co_return fresh;
    }
    while (pipe.held() != 0) {
        if (!to.socket().open()) {
            co_return ECANCELED;
        }
        const std::ptrdiff_t pushed = to.socket().push(pipe);
        if (pushed == -EAGAIN) {
            const int ready = co_await to.ready(ring::ReadyWait::For::writing, deadline());
            if (ready != 0) {
                co_return ready;
            }
        } else if (pushed <= 0) {
            co_return pushed < 0 ? static_cast<int>(-pushed) : EPIPE;
        }
    }
    co_return 0;
}

}  // namespace

bool can_splice(BodySource& from, BodySink& to) {
    const Run run = from.run();
    if (run.bytes < kLeast || !run.stream->streams()) {
        return false;
    }
    Stream* const out = to.raw();
    return out != nullptr && out->takes_raw();
}

ring::Task<Spliced> splice(Context& context, BodySource& from, BodySink& to, Patience patience) {
    const Run run = from.run();
    Stream& in = *run.stream;
    Stream& out = *to.raw();
    Spliced spliced;
    ring::Pipes& pipes = context.loop.pipes();
    ring::Pipe pipe = pipes.take();
    bool more = pipe.open();
    for (int round = 0; more && round < kRounds; round++) {
        const std::ptrdiff_t pulled = in.socket().pull(pipe, static_cast<std::size_t>(std::min<std::uint64_t>(run.bytes - spliced.bytes, 1U << 30)));
        if (pulled == -EAGAIN) {
            break;
        }
        if (pulled <= 0) {
            more = false;  // a receive tells what it is
            break;
        }
        spliced.error = co_await empty(context, pipe, out, patience);
        if (spliced.error != 0) {
            break;
        }
        spliced.bytes += static_cast<std::uint64_t>(pulled);
        more = in.streams() && run.bytes - spliced.bytes >= kLeast;
    }
    pipes.give(std::move(pipe));
    from.passed(spliced.bytes, more && spliced.error == 0);
    to.passed(spliced.bytes);
    count(context.stats.spliced_bytes_total, spliced.bytes);
    co_return spliced;
}

}  // namespace penstock::proxy
