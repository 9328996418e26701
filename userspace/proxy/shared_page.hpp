// SPDX-License-Identifier: Apache-2.0
// What the threads of a worker share, and nothing else: a page of atomics of a fixed size, by ids modulo that. Two that share an entry are
// chosen a little less well, never wrongly.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace penstock::proxy {

struct EndpointState {
    std::atomic<std::uint32_t> in_flight = 0;     // requests or connections that it has now; only of sets that ask for it
    std::atomic<std::uint32_t> failures = 0;      // in a row
    std::atomic<std::uint32_t> ejections = 0;     // since it last did well
    std::atomic<std::int64_t> ejected_until = 0;  // on the loops' clock; 0: never was
    std::atomic<std::int64_t> failing_since = 0;  // on the loops' clock; 0: it did well the last time
};

struct SharedPage {
    static constexpr std::size_t kSize = 16384;
    std::array<std::atomic<std::uint64_t>, kSize> rules = {};  // tickets into cycles of weights; would not end a period early by wrapping
    std::array<std::atomic<std::uint64_t>, kSize> mirrors = {};  // of a rule's requests, for its mirrors' shares
    std::array<std::atomic<std::uint32_t>, kSize> sets = {};   // turns of endpoints
    std::array<EndpointState, kSize> endpoints = {};

    std::uint64_t next_of_rule(std::uint32_t id) { return rules[id % kSize].fetch_add(1, std::memory_order_relaxed); }
    std::uint64_t next_of_mirrors(std::uint32_t id) { return mirrors[id % kSize].fetch_add(1, std::memory_order_relaxed); }
    std::uint32_t next_of_set(std::uint32_t id) { return sets[id % kSize].fetch_add(1, std::memory_order_relaxed); }
    EndpointState& endpoint(std::uint32_t id) { return endpoints[id % kSize]; }
};

}  // namespace penstock::proxy
