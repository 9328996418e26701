// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tunnel.hpp"

#include <cerrno>

#include "userspace/proxy/splice.hpp"
#include "userspace/ring/sync.hpp"

namespace penstock::proxy {

namespace {

struct Shared {
    Context& context;
    const fb::LimitsT& limits;
    ring::Scope scope;      // of both directions: a broken one ends the other
    ring::Time last_moved;  // of either direction
    bool broken = false;
};

// False: it broke.
ring::Task<bool> one_way(Shared& shared, BodySource& from, BodySink& to, std::uint64_t& bytes) {
    for (bool whole = false; !whole;) {
        const std::size_t moved = move_pieces(from, to);
        whole = from.complete();
        if (moved == 0 && !whole && can_splice(from, to)) {
            const Patience patience{.stall = std::chrono::milliseconds(shared.limits.body_stall_ms), .moved = &shared.last_moved};
            const Spliced spliced = co_await splice(shared.context, from, to, patience);
            bytes += spliced.bytes;
            if (spliced.error != 0) {
                co_return false;
            }
        }
        if (moved == 0 && !whole) {
            const ring::Time since = shared.last_moved;
            const int waited = co_await from.wait(since + std::chrono::milliseconds(shared.limits.idle_ms));
            if (waited == ETIMEDOUT && shared.last_moved != since) {
                continue;  // the other direction is alive
            }
            if (waited != 0) {
                co_return false;
            }
            continue;
        }
        shared.last_moved = shared.context.loop.now();
        bytes += moved;
        if (whole) {
            to.end({});
        }
        if (co_await to.flush(shared.context.in_ms(shared.limits.body_stall_ms)) != 0) {
            co_return false;
        }
    }
    co_return true;
}

ring::Task<> one_way_then(Shared& shared, BodySource& from, BodySink& to, std::uint64_t& bytes) {
    const bool went = co_await one_way(shared, from, to, bytes);  // GCC 12 lays the frame out wrongly if this stands in the condition
    if (!went) {
        shared.broken = true;
        shared.scope.cancel();
    }
}

}  // namespace

ring::Task<TunnelBytes> tunnel(Context& context, TunnelSide client, TunnelSide backend, ring::Scope& scope, const fb::LimitsT& limits) {
    TunnelBytes bytes;
    Shared shared{context, limits, ring::Scope(scope), context.loop.now()};
    ring::Task<> up = one_way_then(shared, client.in, backend.out, bytes.from_client);
    ring::Task<> down = one_way_then(shared, backend.in, client.out, bytes.to_client);
    co_await ring::both(std::move(up).in(shared.scope), std::move(down).in(shared.scope));
    bytes.broken = shared.broken;
    co_return bytes;
}

}  // namespace penstock::proxy
