// SPDX-License-Identifier: Apache-2.0
// The stats page: one writable memory file made by the keeper, mapped by the workers (which write) and the daemon (which reads).
// Each worker thread slot owns one block and is its only writer, so a counter is a relaxed load and store; blocks of different
// slots share no cache line. It outlives workers and daemon. A reader must tolerate a page of another layout version.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "schema/reasons.hpp"

namespace penstock {

inline constexpr std::uint32_t kStatsMagic = 0x50535431;  // "PST1"
inline constexpr std::uint32_t kStatsVersion = 1;
inline constexpr std::uint32_t kStatsSlotsMax = 64;       // worker threads
inline constexpr std::uint32_t kStatsListenersMax = 1024; // listener ids are taken modulo this

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free && sizeof(Counter) == 8);

struct ListenerStats {
    Counter connections;  // accepted (UDP: flows begun)
    Counter requests;     // HTTP requests
    Counter bytes_in;     // from clients
    Counter bytes_out;    // to clients
};

struct alignas(64) SlotStats {
    Counter connections_open;
    Counter connections_total;
    Counter requests_total;
    Counter backend_connections_total;
    Counter backend_reused_total;
    Counter tls_handshakes_total;
    Counter generation;                              // the snapshot that the thread serves
    std::array<Counter, 8> status_class;             // by status / 100
    std::array<Counter, kReasonCount> reasons;
    std::array<ListenerStats, kStatsListenersMax> listeners;
};

struct alignas(64) StatsPage {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint32_t slots;
    std::uint32_t reserved;
    std::array<SlotStats, kStatsSlotsMax> slot;
};

// Adds to a counter that only the calling thread writes: no locked instruction.
inline void count(Counter& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

}  // namespace penstock
