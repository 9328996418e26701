// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/endpoint_change.hpp"

#include <algorithm>

#include "schema/part_name.hpp"
#include "userspace/proxy/passive_health.hpp"

namespace penstock::proxy {

namespace {

bool helps(const BackendSet& set, const Wish& wish, bool gone) {
    const auto failed = [&](const BackendEndpoint& one) { return std::find(wish.failed.begin(), wish.failed.end(), one.address) != wish.failed.end(); };
    const auto last = [&](const BackendEndpoint& one) { return one.address == wish.failed.back(); };
    return !std::all_of(set.ready.begin(), set.ready.end(), failed) && !(gone && std::any_of(set.ready.begin(), set.ready.end(), last));
}

// `now` if nobody has noted a failure.
ring::Time failing_since(Context& context, const BackendSet& set, const Endpoint& address) {
    const ring::Time now = context.loop.now();
    const auto found = std::find_if(set.ready.begin(), set.ready.end(), [&](const BackendEndpoint& one) { return one.address == address; });
    return found == set.ready.end() ? now : failing_since(context.shared, *found, now);
}

}  // namespace

std::shared_ptr<const BackendSet> newest(const Context& context, const BackendSet& set) {
    const Made* made = context.tables->made.get(fb::part_path(fb::PartKind::Backends, set.key));
    return made == nullptr ? nullptr : std::static_pointer_cast<const BackendSet>(made->object);
}

ring::Task<std::shared_ptr<const BackendSet>> changed_set(Context& context, const BackendSet& set, const Wish& wish, bool gone, ring::Time deadline) {
    const ring::Time until = std::min(deadline, failing_since(context, set, wish.failed.back()) + context.change_wait);
    for (;;) {
        std::shared_ptr<const BackendSet> now = newest(context, set);
        if (now != nullptr && now.get() != &set && helps(*now, wish, gone)) {
            co_return now;
        }
        if (context.loop.now() >= until) {
            co_return nullptr;
        }
        const int waited = co_await context.tables_changed.wait(context.loop, until);
        if (waited != 0 && waited != ETIMEDOUT) {
            co_return nullptr;
        }
    }
}

bool has_left(const Context& context, const BackendSet& set, const Endpoint& address) {
    const std::shared_ptr<const BackendSet> now = newest(context, set);
    return now != nullptr && now.get() != &set && !now->ready.empty() &&
           std::none_of(now->ready.begin(), now->ready.end(), [&](const BackendEndpoint& one) { return one.address == address; });
}

Dialling::Dialling(Context& context, const BackendSet& set, const Endpoint& address, ring::Scope& parent) : scope(parent), context_(context), set_(set), address_(address) {
    context.dialling.push_back(*this);
}

void Dialling::tables_changed() {
    if (has_left(context_, set_, address_)) {
        scope.cancel(kEndpointLeft);
    }
}

}  // namespace penstock::proxy
