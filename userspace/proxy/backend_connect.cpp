// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/backend_connect.hpp"

#include <algorithm>
#include <cerrno>

namespace penstock::proxy {

Choice choose_backend(Context& context, const Rule& rule) {
    if (rule.cycle.empty()) {
        return {nullptr, Reason::unresolved_backend};
    }
    const WeightedBackend& chosen = rule.backends[rule.cycle[context.tickets.next_of_rule(rule.spec->id) % rule.cycle.size()]];
    if (chosen.set == nullptr) {
        return {nullptr, Reason::unresolved_backend};
    }
    if (chosen.set->ready.empty()) {
        return {nullptr, Reason::no_backend};
    }
    return {&chosen, std::nullopt};
}

ring::Task<BackendConnection> connect_backend(Context& context, std::shared_ptr<const BackendSet> set, bool fresh, ring::Time deadline) {
    constexpr std::size_t kAttempts = 3;
    BackendConnection result;
    const std::size_t count_of = set->ready.size();
    const std::size_t first = count_of == 0 ? 0 : context.tickets.next_of_set(set->id);
    for (std::size_t attempt = 0; attempt < std::min(kAttempts, count_of); ++attempt) {
        result.endpoint = set->ready[(first + attempt) % count_of].address;
        if (!fresh) {
            result.socket = context.pool.take(result.endpoint);
            if (result.socket.open()) {
                result.reused = true;
                count(context.stats.backend_reused_total);
                co_return result;
            }
        }
        const ring::Time by = std::min(deadline, context.in_ms(context.tables->limits.backend_connect_ms));
        ring::Opened opened = co_await context.loop.connect(result.endpoint, by);
        if (opened) {
            count(context.stats.backend_connections_total);
            result.socket = std::move(opened.socket);
            result.error = 0;
            co_return result;
        }
        result.error = opened.error;
        if (opened.error == ECANCELED) {
            break;
        }
    }
    co_return result;
}

}  // namespace penstock::proxy
