// SPDX-License-Identifier: Apache-2.0
// Bytes that nobody here reads go from socket to socket in the kernel: what follows a long body's beginning, or streams through a tunnel,
// towards a side that is in the clear or whose records the kernel makes (ADR 0014). The rest goes through buffers, as it always may.
#pragma once

#include "userspace/proxy/body.hpp"
#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

// Whether splice() may move something: `from` streams, and much of it may be left unread.
[[nodiscard]] bool can_splice(BodySource& from, BodySink& to);

struct Spliced {
    std::uint64_t bytes = 0;  // that `to` took
    int error = 0;            // of `to`; bytes were lost then, and it cannot be used any more
};

// How long it may take: `stall` without a byte that `to` takes, and until `deadline` in all.
struct Patience {
    ring::Duration stall;
    ring::Time deadline = ring::kNever;
    ring::Time* moved = nullptr;  // told when `to` took something last
};

// What is there now, and no more than a few pipes full; from.wait() is next, whatever came of it, so that others have their turn. If can_splice().
ring::Task<Spliced> splice(Context& context, BodySource& from, BodySink& to, Patience patience);

}  // namespace penstock::proxy
