// SPDX-License-Identifier: Apache-2.0
// What the connections of one worker thread share: its loop, the tables it serves now, its pool, its counters. One thread only, but
// for the tickets, which all threads share.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "schema/stats_page.hpp"
#include "userspace/proxy/balancer.hpp"
#include "userspace/proxy/pool.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

// A connection that waits for its next request; closed first when the thread drains.
struct IdleNode : ring::ListNode {
    explicit IdleNode(ring::Scope& waiting) : scope(waiting) {}
    ring::Scope& scope;
};

struct Context {
    Context(ring::Loop& on, SlotStats& counters, Tickets& shared) : loop(on), stats(counters), tickets(shared), pool(on) {}

    ring::Loop& loop;
    SlotStats& stats;
    Tickets& tickets;
    Pool pool;
    std::shared_ptr<const Tables> tables;  // never null once the first snapshot was taken
    bool draining = false;                 // answers end with Connection: close
    ring::List<IdleNode> idle;
    std::uint64_t request_ids = 0;

    [[nodiscard]] ring::Time in_ms(std::uint64_t ms) const { return ms == 0 ? ring::kNever : loop.now() + std::chrono::milliseconds(ms); }
    void count_reason(Reason reason) { count(stats.reasons[static_cast<std::size_t>(reason)]); }
    [[nodiscard]] ListenerStats& listener(std::uint32_t id) { return stats.listeners[id % kStatsListenersMax]; }
};

}  // namespace penstock::proxy
