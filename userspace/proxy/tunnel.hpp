// SPDX-License-Identifier: Apache-2.0
// Bytes both ways between two connections until both have ended, with half-close: the end of one direction is passed on, the other goes
// on. Each direction waits for its slower side, and reads nothing meanwhile.
#pragma once

#include "userspace/proxy/context.hpp"
#include "userspace/proxy/stream.hpp"

namespace penstock::proxy {

struct TunnelBytes {
    std::uint64_t from_client = 0;
    std::uint64_t to_client = 0;
};

// Runs in `scope`, whose end ends it. A direction in which nothing moves for `limits.idle_ms` ends the tunnel unless the other moves.
ring::Task<TunnelBytes> tunnel(Context& context, Stream& client, Stream& backend, ring::Scope& scope, const fb::LimitsT& limits);

}  // namespace penstock::proxy
