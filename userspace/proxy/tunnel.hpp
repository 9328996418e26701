// SPDX-License-Identifier: Apache-2.0
// Bytes both ways between two sides until both have ended, with half-close: the end of one direction is passed on, the other goes
// on. Each direction waits for its slower side, and reads nothing meanwhile.
#pragma once

#include "userspace/proxy/body.hpp"
#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

struct TunnelBytes {
    std::uint64_t from_client = 0;
    std::uint64_t to_client = 0;
    bool broken = false;  // it did not end by the ends of both directions
};

struct TunnelSide {
    BodySource& in;
    BodySink& out;
};

// Runs in `scope`, whose end ends it. A direction in which nothing moves for `limits.idle_ms` ends the tunnel unless the other moves.
// If it is broken, the caller closes both sides.
ring::Task<TunnelBytes> tunnel(Context& context, TunnelSide client, TunnelSide backend, ring::Scope& scope, const fb::LimitsT& limits);

}  // namespace penstock::proxy
