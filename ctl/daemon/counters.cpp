// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/counters.hpp"

#include <algorithm>

namespace penstock::daemon {

namespace {

using nlohmann::json;

std::uint32_t slots_of(const StatsPage* page) { return page == nullptr ? 0 : std::min(page->slots, kStatsSlotsMax); }

// The sum over threads of what `pick` chooses from a thread's block.
template <class Pick>
std::uint64_t sum(const StatsPage* page, const Pick& pick) {
    std::uint64_t total = 0;
    for (std::uint32_t i = 0; i < slots_of(page); ++i) {
        total += pick(page->slot[i]).load(std::memory_order_relaxed);
    }
    return total;
}

}  // namespace

const StatsPage* usable_page(const void* bytes, std::size_t size) {
    const auto* page = static_cast<const StatsPage*>(bytes);
    const bool usable = page != nullptr && size >= sizeof(StatsPage) && page->magic == kStatsMagic && page->version == kStatsVersion;
    return usable ? page : nullptr;
}

json reasons_json(const StatsPage* page) {
    json list = json::array();
    for (std::size_t i = 0; i < kReasonCount; ++i) {
        const auto count = sum(page, [i](const SlotStats& slot) -> const Counter& { return slot.reasons[i]; });
        list.push_back({{"name", kReasons[i].name}, {"status", kReasons[i].status}, {"count", count}, {"text", kReasons[i].text}});
    }
    return list;
}

json worker_json(const StatsPage* page) {
    const auto total = [&](Counter SlotStats::*member) { return sum(page, [member](const SlotStats& slot) -> const Counter& { return slot.*member; }); };
    json classes = json::array();
    for (std::size_t i = 0; i < 6; ++i) {
        classes.push_back(sum(page, [i](const SlotStats& slot) -> const Counter& { return slot.status_class[i]; }));
    }
    return {{"connections_open", total(&SlotStats::connections_open)},
            {"connections_total", total(&SlotStats::connections_total)},
            {"requests_total", total(&SlotStats::requests_total)},
            {"backend_connections_total", total(&SlotStats::backend_connections_total)},
            {"backend_reused_total", total(&SlotStats::backend_reused_total)},
            {"tls_handshakes_total", total(&SlotStats::tls_handshakes_total)},
            {"status_class", classes}};
}

ListenerTotals listener_totals(const StatsPage* page, std::uint32_t id) {
    const auto total = [&](Counter ListenerStats::*member) {
        return sum(page, [member, id](const SlotStats& slot) -> const Counter& { return slot.listeners[id % kStatsListenersMax].*member; });
    };
    return {.connections = total(&ListenerStats::connections),
            .requests = total(&ListenerStats::requests),
            .bytes_in = total(&ListenerStats::bytes_in),
            .bytes_out = total(&ListenerStats::bytes_out)};
}

}  // namespace penstock::daemon
