// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/passive_health.hpp"

#include <algorithm>

namespace penstock::proxy {

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;  // each value stands for itself
constexpr std::uint64_t kLongest = 10;                // times eject_ms
constexpr std::uint32_t kDoublingsMax = 4;            // beyond, it is longer than that

std::int64_t ticks(ring::Time time) { return time.time_since_epoch().count(); }

// `set.health` allows one more.
bool may_eject(SharedPage& shared, const BackendSet& set, ring::Time now) {
    const auto out = static_cast<std::size_t>(
        std::count_if(set.ready.begin(), set.ready.end(), [&](const BackendEndpoint& one) { return is_ejected(shared.endpoint(one.id), now); }));
    const std::size_t share = set.ready.size() * set.health.eject_percent_max / 100;
    const std::size_t most = set.health.eject_percent_max == 0 ? 0 : std::max<std::size_t>(share, 1);
    return out < most && out + 1 < set.ready.size();
}

}  // namespace

bool is_ejected(const EndpointState& state, ring::Time now) {
    const std::int64_t until = state.ejected_until.load(kRelaxed);
    return until != 0 && until > ticks(now);
}

void note_failure(SharedPage& shared, const BackendSet& set, const BackendEndpoint& endpoint, ring::Time now) {
    EndpointState& state = shared.endpoint(endpoint.id);
    std::int64_t well = 0;
    state.failing_since.compare_exchange_strong(well, ticks(now), kRelaxed);
    std::int64_t until = state.ejected_until.load(kRelaxed);
    if (set.health.failures == 0 || until > ticks(now)) {
        return;
    }
    const std::uint32_t before = state.failures.load(kRelaxed);
    if (before < set.health.failures && state.failures.fetch_add(1, kRelaxed) + 1 < set.health.failures) {
        return;
    }
    if (!may_eject(shared, set, now)) {
        return;
    }
    const std::uint64_t times = std::min<std::uint64_t>(1ULL << std::min(state.ejections.load(kRelaxed), kDoublingsMax), kLongest);
    const ring::Time next = now + std::chrono::milliseconds(set.health.eject_ms * times);
    if (state.ejected_until.compare_exchange_strong(until, ticks(next), kRelaxed)) {  // else another thread did it
        state.ejections.fetch_add(1, kRelaxed);
    }
}

ring::Time failing_since(SharedPage& shared, const BackendEndpoint& endpoint, ring::Time now) {
    const std::int64_t since = shared.endpoint(endpoint.id).failing_since.load(kRelaxed);
    return since == 0 ? now : ring::Time(ring::Time::duration(since));
}

// Nearly always nothing has failed, and then nothing is written: the line stays in every core's cache.
void note_success(SharedPage& shared, const BackendEndpoint& endpoint, ring::Time now) {
    EndpointState& state = shared.endpoint(endpoint.id);
    if ((state.failing_since.load(kRelaxed) == 0 && state.failures.load(kRelaxed) == 0) || is_ejected(state, now)) {
        return;
    }
    state.failing_since.store(0, kRelaxed);
    state.failures.store(0, kRelaxed);
    state.ejections.store(0, kRelaxed);
}

}  // namespace penstock::proxy
