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
ring::Task<int> empty(ring::Loop& loop, ring::Pipe& pipe, Stream& to, Patience patience, std::uint64_t& taken) {
    const auto patient_until = [&] { return std::min(patience.deadline, loop.after(patience.stall)); };
    ring::Time stalled = patient_until();
    const int fresh = co_await to.before_raw(pipe.held(), stalled);
    if (fresh != 0) {
        co_return fresh;
    }
    const Stream::Raw raw(to);  // nobody else writes meanwhile
    while (pipe.held() != 0) {
        if (!to.may_push()) {
            co_return to.socket().open() ? EPROTO : ECANCELED;
        }
        const std::ptrdiff_t pushed = to.socket().push(pipe);
        if (pushed > 0) {
            taken += static_cast<std::uint64_t>(pushed);
            stalled = patient_until();
            if (patience.moved != nullptr) {
                *patience.moved = loop.now();
            }
            continue;
        }
        if (pushed != -EAGAIN) {
            co_return pushed < 0 ? static_cast<int>(-pushed) : EPIPE;
        }
        if (loop.now() >= stalled) {
            co_return ETIMEDOUT;
        }
        const int ready = co_await to.ready(ring::ReadyWait::For::writing, stalled);
        if (ready != 0) {
            co_return ready;
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
    std::uint64_t passed = 0;
    ring::Pipes& pipes = context.loop.pipes();
    ring::Pipe pipe = pipes.take();
    bool more = pipe.open();
    for (int round = 0; more && round < kRounds; round++) {
        const std::ptrdiff_t pulled = in.socket().pull(pipe, static_cast<std::size_t>(std::min<std::uint64_t>(run.bytes - passed, 1U << 30)));
        if (pulled <= 0) {
            // Nothing at all, though it was ready: the end, an error, an urgent byte. A receive tells what it is, and gets over it.
            more = pulled == -EAGAIN && passed != 0;
            break;
        }
        passed += static_cast<std::uint64_t>(pulled);
        spliced.error = co_await empty(context.loop, pipe, out, patience, spliced.bytes);
        more = spliced.error == 0 && in.streams() && run.bytes - passed >= kLeast;
    }
    pipes.give(std::move(pipe));
    from.passed(passed, more);
    to.passed(spliced.bytes);
    count(context.stats.spliced_bytes_total, spliced.bytes);
    co_return spliced;
}

}  // namespace penstock::proxy
