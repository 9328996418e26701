// SPDX-License-Identifier: Apache-2.0
// What is known of one request: filled while it is served, read once, by the counters, when it is over.
// Costs nothing but its stores: pointers are of what the exchange holds anyway.
#pragma once

#include <cstdint>
#include <optional>

#include "schema/reasons.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/proxy/tables.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

struct Context;

struct Record {
    const Listener* listener = nullptr;
    const Rule* rule = nullptr;
    const BackendSet* set = nullptr;   // of the last attempt
    Endpoint endpoint;                 // of the last attempt; port 0: none was reached
    std::uint32_t attempts = 0;        // at a backend; those beyond the first are retries
    bool reused = false;               // the last attempt's connection was a kept one

    int status = 0;                    // as the client was told; 0: not at all
    int backend_status = 0;            // as the backend answered; 0: it did not
    std::optional<Reason> reason;      // the first one

    std::uint64_t bytes_in = 0;        // of head and body, tunnels included
    std::uint64_t bytes_out = 0;

    ring::Time began;                      // the head was read
    ring::Time chosen = ring::kNever;      // the last attempt began
    ring::Time connected = ring::kNever;   // it has a connection
    ring::Time first_byte = ring::kNever;  // the head of its answer is here
    ring::Time done;

    void attempt(const BackendSet& to, ring::Time now) {
        set = &to;
        endpoint = {};
        reused = false;
        backend_status = 0;
        chosen = now;
        connected = first_byte = ring::kNever;
        ++attempts;
    }
    void reach(const Endpoint& where, bool kept, ring::Time now) {
        endpoint = where;
        reused = kept;
        connected = now;
    }
    void answered(int code, ring::Time now) {
        backend_status = code;
        first_byte = now;
    }
    void fail(Reason why) {
        if (!reason) {
            reason = why;
        }
    }
};

inline std::uint64_t microseconds_between(ring::Time from, ring::Time to) {
    return to > from ? static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(to - from).count()) : 0;
}

// An attempt is over, another may follow.
void count_attempt(Context& context, const Record& record);
// The request is over: counts it.
void tell(Context& context, Record& record);

}  // namespace penstock::proxy
