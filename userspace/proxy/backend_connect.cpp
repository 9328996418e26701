// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/backend_connect.hpp"

#include <algorithm>
#include <cerrno>

#include "userspace/proxy/endpoint_change.hpp"
#include "userspace/proxy/proxy_protocol.hpp"

namespace penstock::proxy {

Choice choose_backend(Context& context, const Rule& rule) {
    if (rule.backends.empty()) {
        return {nullptr, Reason::unresolved_backend};
    }
    const std::size_t index = rule.cycle.empty() ? 0 : rule.cycle[context.shared.next_of_rule(rule.spec->id()) % rule.cycle.size()];
    const WeightedBackend& chosen = rule.backends[index];
    if (chosen.set == nullptr) {
        return {nullptr, Reason::unresolved_backend};
    }
    if (chosen.set->ready.empty()) {
        return {nullptr, Reason::no_backend};
    }
    return {&chosen, std::nullopt};
}

namespace {

bool tells_of_endpoint(int error) { return error != ECANCELED && error != kEndpointLeft; }

Reason fault_of(const Context& context, int error, ring::Time deadline) {
    return error == ETIMEDOUT && context.loop.now() >= deadline ? Reason::backend_timeout : Reason::backend_connect;
}

// A new connection: `first`, in the clear, then TLS where the set wants it.
ring::Task<BackendConnection> dial_in_scope(Context& context, BackendPlace place, SetStats& stats, std::string first, bool http2, ring::Time deadline) {
    BackendConnection result;
    result.place = place;
    const ring::Time by = std::min(deadline, context.in_ms(context.tables->limits.backend_connect_ms));
    ring::Opened opened = co_await context.loop.connect(place.endpoint, by);
    if (!opened) {
        count(stats.connect_failures, tells_of_endpoint(opened.error) ? 1 : 0);
        result.error = opened.error;
        result.fault = fault_of(context, opened.error, deadline);
        co_return result;
    }
    count(context.stats.backend_connections_total);
    count(stats.connections);
    result.stream = Stream(std::move(opened.socket));
    result.error = co_await result.stream.send(first, by);  // nothing if it is empty
    if (result.error != 0) {
        result.fault = fault_of(context, result.error, deadline);
        result.stream.close();
        co_return result;
    }
    if (place.tls != nullptr) {
        result.stream.climb(context.ladder);
        const int shaken = co_await result.stream.connect_tls(place.tls, place.endpoint, by);
        if (shaken != 0 || (http2 && result.stream.tls()->alpn() != "h2")) {
            count(stats.connect_failures, tells_of_endpoint(shaken) ? 1 : 0);
            result.error = shaken == 0 ? EPROTO : shaken;
            result.fault = shaken == 0 || shaken == EPROTO ? Reason::backend_tls : fault_of(context, shaken, deadline);
            result.stream.close();
        }
    }
    co_return result;
}

// The same for as long as the endpoint is in the set.
ring::Task<BackendConnection> dial(Context& context, const BackendSet& set, BackendPlace place, std::string first, bool http2, ring::Time deadline) {
    Dialling dialling(context, set, place.endpoint, co_await ring::this_scope());
    dialling.tables_changed();  // since it was chosen, perhaps
    co_return co_await dial_in_scope(context, std::move(place), context.set(set.id), std::move(first), http2, deadline).in(dialling.scope);
}

ring::Task<BackendConnection> connect_http2(Context& context, const BackendSet& set, BackendPlace place, std::string first, bool fresh, ring::Time deadline) {
    SetStats& stats = context.set(set.id);
    BackendConnection result;
    result.place = place;
    for (bool waited = false;; waited = true) {
        result.h2 = fresh && !waited ? nullptr : context.h2_pool.find(place);
        if (result.h2 != nullptr) {
            result.reused = !waited;
            count(context.stats.backend_reused_total);
            count(stats.reused);
            co_return result;
        }
        if (context.h2_pool.begin_connect(place)) {
            break;
        }
        const int error = co_await context.h2_pool.wait_for_connect(context.loop, place, deadline);
        if (error != 0) {
            result.fault = fault_of(context, error, deadline);
            co_return result;
        }
    }
    BackendConnection made = co_await dial(context, set, place, std::move(first), true, deadline);
    if (made.open()) {
        made.h2 = context.h2_pool.add(context, place, std::move(made.stream));
    }
    context.h2_pool.end_connect(place);
    co_return made;
}

ring::Task<BackendConnection> connect_http1(Context& context, const BackendSet& set, BackendPlace place, std::string first, bool fresh, ring::Time deadline) {
    BackendConnection result;
    result.stream = fresh || place.client ? Stream() : context.pool.take(place);
    if (!result.stream.socket().open()) {
        co_return co_await dial(context, set, std::move(place), std::move(first), false, deadline);
    }
    result.place = std::move(place);
    result.reused = true;
    count(context.stats.backend_reused_total);
    count(context.set(set.id).reused);
    co_return result;
}

// What tells of the endpoint, or the way to it; other errors are our own.
bool is_theirs(int error) {
    switch (error) {
        case ECONNREFUSED:
        case ECONNRESET:
        case EPIPE:
        case ETIMEDOUT:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case EPROTO: return true;
        default: return false;
    }
}

}  // namespace

ring::Task<BackendConnection> connect_backend(Context& context, std::shared_ptr<const BackendSet> set, Wish& wish, ring::Time deadline) {
    constexpr std::size_t kAttempts = 3;
    BackendConnection result;
    const auto before = static_cast<std::ptrdiff_t>(wish.failed.size());
    for (std::size_t attempt = 0; attempt < kAttempts; ++attempt) {
        const BackendEndpoint* endpoint = choose_endpoint(context, *set, wish);
        if (endpoint == nullptr) {
            result.fault = result.fault.value_or(set->ready.empty() ? Reason::no_backend : Reason::backend_full);
            break;
        }
        if (std::find(wish.failed.begin() + before, wish.failed.end(), endpoint->address) != wish.failed.end()) {
            break;
        }
        Claim claim(context, *set, *endpoint);
        BackendPlace place{endpoint->address, set->tls};
        std::string first;
        if (set->proxy_protocol != fb::ProxyProtocol::None) {
            first = proxy_header(set->proxy_protocol, wish.source, wish.destination);
            place.client = wish.source.value_or(Endpoint());
        }
        if (set->protocol == fb::BackendProtocol::Http2) {
            result = co_await connect_http2(context, *set, std::move(place), std::move(first), wish.fresh, deadline);
        } else {
            result = co_await connect_http1(context, *set, std::move(place), std::move(first), wish.fresh, deadline);
        }
        if (result.open()) {
            result.claim = std::move(claim);
            break;
        }
        if (is_theirs(result.error)) {
            claim.failed();
        }
        wish.failed.push_back(endpoint->address);
        if (context.loop.now() >= deadline || result.error == ECANCELED) {
            break;
        }
    }
    co_return result;
}

}  // namespace penstock::proxy
