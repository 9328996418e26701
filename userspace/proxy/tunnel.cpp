// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tunnel.hpp"

#include <cerrno>

#include "userspace/proxy/event.hpp"

namespace penstock::proxy {

namespace {

struct Shared {
    Context& context;
    const fb::LimitsT& limits;
    ring::Time last_moved;  // of either direction
};

ring::Task<> one_way(Shared& shared, Stream& from, Stream& to, std::uint64_t& bytes) {
    for (;;) {
        if (from.data().empty()) {
            const ring::Time since = shared.last_moved;
            const int filled = co_await from.fill(since + std::chrono::milliseconds(shared.limits.idle_ms));
            if (filled == ETIMEDOUT && shared.last_moved != since) {
                continue;  // the other direction is alive
            }
            if (filled != 0) {
                if (filled != kEnded) {
                    from.close();
                    to.close();
                    co_return;
                }
                break;
            }
        }
        shared.last_moved = shared.context.loop.now();
        const std::size_t size = from.data().size();
        if (co_await to.send(from.data(), shared.context.in_ms(shared.limits.body_stall_ms)) != 0) {
            from.close();
            to.close();
            co_return;
        }
        bytes += size;
        from.consume(size);
    }
    co_await to.finish(shared.context.in_ms(shared.limits.body_stall_ms));
}

ring::Task<> one_way_then(Shared& shared, Stream& from, Stream& to, std::uint64_t& bytes, Event& done) {
    co_await one_way(shared, from, to, bytes);
    done.set();
}

}  // namespace

ring::Task<TunnelBytes> tunnel(Context& context, Stream& client, Stream& backend, ring::Scope& scope, const fb::LimitsT& limits) {
    TunnelBytes bytes;
    Shared shared{context, limits, context.loop.now()};
    Event done(context.loop);
    context.loop.spawn(one_way_then(shared, client, backend, bytes.from_client, done), scope);
    co_await one_way(shared, backend, client, bytes.to_client);
    co_await done;
    co_return bytes;
}

}  // namespace penstock::proxy
