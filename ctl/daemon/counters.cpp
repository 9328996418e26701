// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/counters.hpp"

#include <algorithm>
#include <set>

namespace penstock::daemon {

namespace {

using nlohmann::json;
namespace fb = penstock::snapshot;

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

// The sum of what `pick` chooses, for each of its counters by name, its classes and its durations.
template <class Pick>
class Sums {
public:
    using Stats = std::remove_cvref_t<std::invoke_result_t<Pick, const SlotStats&>>;
    Sums(const StatsPage* page, Pick pick) : page_(page), pick_(std::move(pick)) {}

    Sums& add(const char* name, Counter Stats::*member) {
        out_[name] = sum(page_, [&](const SlotStats& slot) -> const Counter& { return pick_(slot).*member; });
        return *this;
    }
    json finish() {
        json classes = json::array();
        for (std::size_t i = 0; i < kStatusClasses; ++i) {
            classes.push_back(sum(page_, [&](const SlotStats& slot) -> const Counter& { return pick_(slot).status_class[i]; }));
        }
        out_["status_class"] = std::move(classes);
        out_["durations"] = durations();
        return std::move(out_);
    }

private:
    json durations() const {
        json buckets = json::array();
        std::uint64_t count = 0;
        for (std::size_t i = 0; i < kDurationBuckets; ++i) {
            const std::uint64_t here = sum(page_, [&](const SlotStats& slot) -> const Counter& { return pick_(slot).durations.buckets[i]; });
            count += here;
            buckets.push_back(here);
        }
        const std::uint64_t sum_us = sum(page_, [&](const SlotStats& slot) -> const Counter& { return pick_(slot).durations.sum_us; });
        return {{"count", count}, {"sum_us", sum_us}, {"buckets", std::move(buckets)}};
    }

    const StatsPage* page_;
    Pick pick_;
    json out_ = json::object();
};

json rule_json(const StatsPage* page, std::uint32_t id) {
    return Sums(page, [id](const SlotStats& slot) -> const RuleStats& { return slot.rules[id % kStatsRulesMax]; }).add("retries", &RuleStats::retries).finish();
}

json set_json(const StatsPage* page, std::uint32_t id) {
    return Sums(page, [id](const SlotStats& slot) -> const SetStats& { return slot.sets[id % kStatsSetsMax]; })
        .add("connections", &SetStats::connections)
        .add("reused", &SetStats::reused)
        .add("connect_failures", &SetStats::connect_failures)
        .finish();
}

json reference(const fb::ObjectRef& object) {
    return {{"kind", object.kind()->str()}, {"namespace", object.namespace_()->str()}, {"name", object.name()->str()}};
}

// The lists of GET /v1/counters, one row for each id.
class Lister {
public:
    Lister(const StatsPage* page, const compile::Snapshot& snapshot) : page_(page), snapshot_(snapshot) {}

    void list(json& out) {
        for (const char* name : {"listeners", "rules", "services"}) {
            out[name] = json::array();
        }
        if (snapshot_.root == nullptr) {
            return;
        }
        const fb::Root& root = *fb::GetRoot(snapshot_.root->data());
        for (const fb::Listener* listener : *root.listeners()) {
            json row = listener_json(page_, listener->id());
            row.update({{"id", listener->id()}, {"name", listener->name()->str()}, {"object", reference(*listener->object())}});
            out["listeners"].push_back(std::move(row));
        }
        for (const auto& [path, part] : snapshot_.parts) {
            if (part->kind == fb::PartKind::Host) {
                add(*flatbuffers::GetRoot<fb::HostRoutes>(part->bytes->data()), out["rules"]);
            } else if (part->kind == fb::PartKind::Backends) {
                add(*flatbuffers::GetRoot<fb::BackendSet>(part->bytes->data()), out["services"]);
            }
        }
    }

private:
    void add(const fb::HostRoutes& host, json& rows) {
        for (const fb::Rule* rule : *host.rules()) {
            // A rule stands in the part of each host that its route has; number 0 is shared by those beyond the page's places.
            if (!rules_.insert(rule->id()).second) {
                continue;
            }
            json row = rule_json(page_, rule->id());
            row.update({{"id", rule->id()}, {"object", rule->id() != 0 ? reference(*rule->object()) : json()}, {"rule", rule->index()},
                        {"name", rule->name() != nullptr ? rule->name()->str() : ""}});
            rows.push_back(std::move(row));
        }
    }
    void add(const fb::BackendSet& set, json& rows) {
        json row = set_json(page_, set.id());
        row.update({{"id", set.id()}, {"object", reference(*set.object())}, {"port", set.port()}, {"endpoints", set.endpoints()->size()}});
        rows.push_back(std::move(row));
    }

    const StatsPage* page_;
    const compile::Snapshot& snapshot_;
    std::set<std::uint32_t> rules_;
};

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
    for (std::size_t i = 0; i < kStatusClasses; ++i) {
        classes.push_back(sum(page, [i](const SlotStats& slot) -> const Counter& { return slot.status_class[i]; }));
    }
    return {{"connections_open", total(&SlotStats::connections_open)},
            {"connections_total", total(&SlotStats::connections_total)},
            {"requests_total", total(&SlotStats::requests_total)},
            {"backend_connections_total", total(&SlotStats::backend_connections_total)},
            {"backend_reused_total", total(&SlotStats::backend_reused_total)},
            {"tls_handshakes_total", total(&SlotStats::tls_handshakes_total)},
            {"tls_openssl_total", total(&SlotStats::tls_openssl_total)},
            {"tls_own_total", total(&SlotStats::tls_own_total)},
            {"ktls_write_total", total(&SlotStats::ktls_write_total)},
            {"ktls_read_total", total(&SlotStats::ktls_read_total)},
            {"spliced_bytes_total", total(&SlotStats::spliced_bytes_total)},
            {"log_lines", total(&SlotStats::log_lines)},
            {"log_lines_lost", total(&SlotStats::log_lines_lost)},
            {"status_class", classes}};
}

json listener_json(const StatsPage* page, std::uint32_t id) {
    return Sums(page, [id](const SlotStats& slot) -> const ListenerStats& { return slot.listeners[id % kStatsListenersMax]; })
        .add("connections", &ListenerStats::connections)
        .add("requests", &ListenerStats::requests)
        .add("bytes_in", &ListenerStats::bytes_in)
        .add("bytes_out", &ListenerStats::bytes_out)
        .add("tls_full", &ListenerStats::tls_full)
        .add("tls_resumed", &ListenerStats::tls_resumed)
        .add("tls_failed", &ListenerStats::tls_failed)
        .finish();
}

json counters_json(const StatsPage* page, const compile::Snapshot& snapshot) {
    json ends = json::array();
    for (std::size_t i = 0; i + 1 < kDurationBuckets; ++i) {
        ends.push_back(duration_bucket_end_us(i));
    }
    json out = {{"worker", worker_json(page)}, {"reasons", reasons_json(page)}, {"bucket_ends_us", std::move(ends)}};
    Lister(page, snapshot).list(out);
    return out;
}

}  // namespace penstock::daemon
