// SPDX-License-Identifier: Apache-2.0
// The stats page: one writable memory file made by the keeper, mapped by the workers and the daemon.
// Each worker thread slot owns one block and is its only writer, so a counter is a relaxed load and store; blocks of different
// slots share no cache line. It outlives workers and daemon. A reader must tolerate a page of another layout version.
// The file has holes where nothing was counted: its size is address space, not memory, as long as readers look only at the ids that exist.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "schema/reasons.hpp"

namespace penstock {

inline constexpr std::uint32_t kStatsMagic = 0x50535431;  // "PST1"
inline constexpr std::uint32_t kStatsVersion = 9;
inline constexpr std::uint32_t kStatsSlotsMax = 64;       // worker threads
inline constexpr std::uint32_t kStatsReasonsMax = 128;    // so that a new reason moves nothing
inline constexpr std::uint32_t kStatsVerdictsMax = 64;
// Ids are taken modulo these: two that share a place are counted together, which takes more listeners, rules or services than these.
inline constexpr std::uint32_t kStatsListenersMax = 1024;
inline constexpr std::uint32_t kStatsRulesMax = 8192;
inline constexpr std::uint32_t kStatsSetsMax = 8192;
static_assert(kReasonCount <= kStatsReasonsMax);

using Counter = std::atomic<std::uint64_t>;
static_assert(Counter::is_always_lock_free && sizeof(Counter) == 8);

// Durations in microseconds, two buckets to each power of two from 64 us to 67 s: a quantile read from them is off by a fifth at most.
inline constexpr std::uint32_t kDurationBuckets = 42;

constexpr std::size_t duration_bucket(std::uint64_t us) {
    if (us < 64) {
        return 0;
    }
    const auto power = static_cast<std::size_t>(std::bit_width(us)) - 1;
    const std::size_t bucket = 1 + (power - 6) * 2 + (us >> (power - 1) & 1);
    return bucket < kDurationBuckets ? bucket : kDurationBuckets - 1;
}

// The first duration that lies in no bucket up to this one; 0 for the last one, which has no end.
constexpr std::uint64_t duration_bucket_end_us(std::size_t bucket) {
    if (bucket + 1 >= kDurationBuckets) {
        return 0;
    }
    if (bucket == 0) {
        return 64;
    }
    const std::uint64_t half = std::uint64_t{1} << (5 + (bucket - 1) / 2);
    return half * (3 + (bucket - 1) % 2);
}

struct Durations {
    Counter sum_us;
    std::array<Counter, kDurationBuckets> buckets;
};

// By status / 100; 0: no answer was given; what is 600 and more counts as 5xx.
inline constexpr std::size_t kStatusClasses = 6;
constexpr std::size_t status_class_of(int status) {
    const auto hundreds = static_cast<std::size_t>(status < 0 ? 0 : status) / 100;
    return hundreds < kStatusClasses ? hundreds : kStatusClasses - 1;
}
using StatusClasses = std::array<Counter, kStatusClasses>;

struct ListenerStats {
    Counter connections;    // accepted (UDP: flows begun)
    Counter requests;       // HTTP requests begun
    Counter bytes_in;       // from clients
    Counter bytes_out;      // to clients
    Counter tls_full;       // handshakes
    Counter tls_resumed;
    Counter tls_failed;
    StatusClasses status_class;  // of requests that are over
    Durations durations;         // of the same, but for tunnels
};

// Of one rule of a route; requests that are over.
struct RuleStats {
    Counter retries;        // attempts beyond the first
    StatusClasses status_class;
    Durations durations;    // without tunnels
};

// Of the endpoints of one Service port.
struct SetStats {
    Counter connections;    // made
    Counter reused;         // taken from the pool
    Counter connect_failures;
    StatusClasses status_class;  // of attempts at requests, as the endpoints answered; 0: not at all
    Durations durations;         // from the choice of the endpoint to the head of its answer
};

struct alignas(64) SlotStats {
    Counter connections_open;
    Counter connections_total;
    Counter requests_total;
    Counter backend_connections_total;
    Counter backend_reused_total;
    Counter tls_handshakes_total;
    // Connections, of clients and to backends, by who makes their records after the handshake.
    Counter tls_openssl_total;
    Counter tls_own_total;
    Counter ktls_write_total;                        // of these own: those that the kernel went on with
    Counter ktls_read_total;
    Counter spliced_bytes_total;                     // of bodies and tunnels: those that went by unread, in the kernel
    Counter generation;                              // the snapshot that the thread serves
    Counter log_lines;                               // of the access log ...
    Counter log_lines_lost;                          // ... and of these lost, as nobody took them
    Counter spans_exported;
    Counter spans_lost;
    std::array<Counter, 8> status_class;             // by status / 100
    std::array<Counter, kStatsReasonsMax> reasons;
    std::array<ListenerStats, kStatsListenersMax> listeners;
    std::array<RuleStats, kStatsRulesMax> rules;
    std::array<SetStats, kStatsSetsMax> sets;
};

// What the daemon knows and the worker shows at /metrics. The daemon alone writes it, now and then.
struct alignas(64) DaemonStats {
    std::array<Counter, kStatsVerdictsMax> verdicts;  // packets, by number (bpf/abi/pst_verdicts.h)
    Counter not_good;                                 // conditions
    Counter errors;                                   // not solved
    Counter reconciles_event, reconciles_resync;      // by what asked for them
    Counter resync_repairs;                           // what the latter found to do
    Counter addresses_held;                           // of those that nodes share out
    Counter address_takeovers;
    Counter addresses_yielded;
    Counter nodes_reporting;                          // of the cluster, what they have taken
    Counter objects_not_everywhere;                   // Gateways and ListenerSets that a live node has not taken, or not whole
    Counter node_reports_written;
};

struct alignas(64) StatsPage {
    std::uint32_t magic;
    std::uint32_t version;
    std::uint32_t slots;
    std::uint32_t reserved;
    DaemonStats daemon;
    std::array<SlotStats, kStatsSlotsMax> slot;
};

// Adds to a counter that only the calling thread writes: no locked instruction.
inline void count(Counter& counter, std::uint64_t by = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
}

inline void count(Durations& durations, std::uint64_t us) {
    count(durations.sum_us, us);
    count(durations.buckets[duration_bucket(us)]);
}

}  // namespace penstock
