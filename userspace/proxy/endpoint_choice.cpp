// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/endpoint_choice.hpp"

#include <algorithm>

#include "bpf/core/pst_service.h"
#include "userspace/base/maglev.hpp"
#include "userspace/proxy/context.hpp"
#include "userspace/proxy/passive_health.hpp"

namespace penstock::proxy {

namespace {

constexpr std::uint32_t kSlotRounds = 64;

// One connection serves many at a time; else each request, or client, has its own.
bool shares_connections(const BackendSet& set) { return set.protocol == fb::BackendProtocol::Http2 && set.proxy_protocol == fb::ProxyProtocol::None; }

// Who may be asked, from the best to the last resort.
enum class Whom : std::uint8_t { well, untried, any };

class Chooser {
public:
    Chooser(Context& context, const BackendSet& set, const Wish& wish) : context_(context), set_(set), wish_(wish) {}

    const BackendEndpoint* run() {
        if (set_.ready.empty()) {
            return nullptr;
        }
        if (wish_.pinned != nullptr && usable(*wish_.pinned)) {
            return wish_.pinned;
        }
        turn_ = set_.balance == fb::Balance::RoundRobin ? context_.shared.next_of_set(set_.id) : 0;
        for (const Whom whom : {Whom::well, Whom::untried, Whom::any}) {
            whom_ = whom;
            if (const auto index = pick()) {
                return &set_.ready[*index];
            }
        }
        return nullptr;
    }

private:
    using Index = std::optional<std::size_t>;

    Index pick() {
        switch (set_.balance) {
            case fb::Balance::LeastRequest: return less_busy_of_two();
            case fb::Balance::Consistent: return of_slot();
            default: return this_or_another(turn_ % set_.ready.size(), turn_ / set_.ready.size());
        }
    }

    Index less_busy_of_two() {
        const std::size_t size = set_.ready.size();
        const std::size_t start = context_.next_random() % size;
        const Index one = this_or_another(start, context_.next_random());
        if (!one || size == 1) {
            return one;
        }
        const Index other = this_or_another((start + 1 + context_.next_random() % (size - 1)) % size, context_.next_random());
        return in_flight(*other) < in_flight(*one) ? other : one;
    }

    // The packet core walks a service's table in the same order.
    Index of_slot() {
        const std::vector<std::uint32_t>& maglev = set_.hash->maglev;
        const auto size = static_cast<std::uint32_t>(maglev.size());
        for (std::uint32_t round = 0; round < kSlotRounds; ++round) {
            const std::size_t index = maglev[pst_slot_of_round(wish_.slot, round, size)];
            if (usable(set_.ready[index])) {
                return index;
            }
        }
        return this_or_another(maglev[wish_.slot], wish_.slot);
    }

    // `index`, or if that is not usable the one of the usable ones that `spare` falls on.
    Index this_or_another(std::size_t index, std::size_t spare) {
        if (usable(set_.ready[index])) {
            return index;
        }
        std::vector<std::size_t> others;
        for (std::size_t i = 0; i < set_.ready.size(); ++i) {
            if (usable(set_.ready[i])) {
                others.push_back(i);
            }
        }
        return others.empty() ? Index() : others[spare % others.size()];
    }

    bool usable(const BackendEndpoint& endpoint) {
        if (set_.connections_max != 0 && full(endpoint)) {
            return false;
        }
        return whom_ == Whom::any ||
               (!tried(endpoint) && (whom_ == Whom::untried || !is_ejected(context_.shared.endpoint(endpoint.id), context_.loop.now())));
    }

    bool full(const BackendEndpoint& endpoint) {
        if (!shares_connections(set_)) {
            const auto busy = context_.busy.find(endpoint.id);
            return busy != context_.busy.end() && busy->second >= set_.connections_max;
        }
        const BackendPlace place{endpoint.address, set_.tls};
        return context_.h2_pool.size(place) >= set_.connections_max && context_.h2_pool.find(place) == nullptr;
    }

    [[nodiscard]] bool tried(const BackendEndpoint& endpoint) const {
        return std::find(wish_.failed.begin(), wish_.failed.end(), endpoint.address) != wish_.failed.end();
    }

    [[nodiscard]] std::uint32_t in_flight(std::size_t index) const {
        return context_.shared.endpoint(set_.ready[index].id).in_flight.load(std::memory_order_relaxed);
    }

    Context& context_;
    const BackendSet& set_;
    const Wish& wish_;
    std::size_t turn_ = 0;
    Whom whom_ = Whom::well;
};

}  // namespace

Wish wish_of(const BackendSet& set, std::string_view client, const http::Headers* headers) {
    Wish wish;
    if (set.hash != nullptr) {
        const auto value = headers == nullptr || set.hash->header.empty() ? std::nullopt : headers->find(set.hash->header);
        wish.slot = maglev_slot(value.value_or(client), static_cast<std::uint32_t>(set.hash->maglev.size()));
    }
    return wish;
}

const BackendEndpoint* choose_endpoint(Context& context, const BackendSet& set, const Wish& wish) { return Chooser(context, set, wish).run(); }

// ---- claims ---------------------------------------------------------------------------------------------------------------
// Only what somebody looks at is counted.
namespace {
bool counts_busy(const BackendSet& set) { return set.connections_max != 0 && !shares_connections(set); }
}  // namespace

Claim::Claim(Context& context, const BackendSet& set, const BackendEndpoint& endpoint) : context_(&context), set_(&set), endpoint_(&endpoint) {
    if (set.balance == fb::Balance::LeastRequest) {
        context.shared.endpoint(endpoint.id).in_flight.fetch_add(1, std::memory_order_relaxed);
    }
    if (counts_busy(set)) {
        ++context.busy[endpoint.id];
    }
}

Claim& Claim::operator=(Claim&& other) noexcept {
    if (this != &other) {
        release();
        context_ = other.context_;
        set_ = other.set_;
        endpoint_ = std::exchange(other.endpoint_, nullptr);
    }
    return *this;
}

void Claim::release() {
    if (endpoint_ == nullptr) {
        return;
    }
    if (set_->balance == fb::Balance::LeastRequest) {
        context_->shared.endpoint(endpoint_->id).in_flight.fetch_sub(1, std::memory_order_relaxed);
    }
    if (counts_busy(*set_)) {
        const auto busy = context_->busy.find(endpoint_->id);
        if (--busy->second == 0) {
            context_->busy.erase(busy);
        }
    }
    endpoint_ = nullptr;
}

void Claim::succeeded() const {
    if (endpoint_ != nullptr) {
        note_success(context_->shared, *endpoint_, context_->loop.now());
    }
}

void Claim::failed() const {
    if (endpoint_ != nullptr) {
        note_failure(context_->shared, *set_, *endpoint_, context_->loop.now());
    }
}

}  // namespace penstock::proxy
