// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

#include "bpf/core/pst_hash.h"
#include "bpf/core/pst_service.h"
#include "ctl/plan/maglev.hpp"
#include "ctl/plan/steering_plan.hpp"
#include "userspace/base/assert.hpp"

namespace penstock::plan {

namespace {

using compile::Backend;
using compile::Service;
using compile::Steering;

std::uint32_t filter_slot(const IpAddress& address) {
    pst_addr abi{};
    std::memcpy(abi.byte, address.bytes.data(), sizeof(abi.byte));
    return pst_filter_slot(&abi);
}

Extent extent_of(pst_service_word_t word) { return {pst_service_offset(word), pst_service_size(word)}; }

Error full(const std::string& map, std::size_t entries, const std::string& object, const std::string& option) {
    return Error{.code = Errc::limit,
                 .what = "plan " + map + " for " + object,
                 .hint = "the map holds " + std::to_string(entries) + " entries: raise " + option + " and detach once (penstockd --detach), or take listeners or endpoints away"};
}

template <std::size_t N>
void put_bytes(std::uint8_t (&out)[N], const std::array<std::uint8_t, N>& in) {
    std::memcpy(out, in.data(), N);
}

void put_reach(pst_backend& record, const Reach& reach) {
    record.exit = static_cast<std::uint8_t>(reach.exit);
    if (reach.exit == Reach::Exit::none) {
        return;
    }
    record.ifindex = reach.ifindex;
    put_bytes(record.nat_addr, reach.source.bytes);
    if (reach.exit == Reach::Exit::neigh) {
        put_bytes(record.hop.next_hop, reach.next_hop.bytes);
    } else {
        put_bytes(record.hop.mac.dmac, reach.dmac);
        put_bytes(record.hop.mac.smac, reach.smac);
    }
    record.xdp = reach.exit == Reach::Exit::xmit && reach.xdp ? 1 : 0;
}

// Makes the maps of one plan.
class Planner {
public:
    Planner(const Steering& steering, const ReachTable& reach, const Observed& observed, State& state, std::int64_t now_ms)
        : steering_(steering), reach_(reach), observed_(observed), state_(state), now_ms_(now_ms), slab_(static_cast<std::uint32_t>(observed.slots.size())) {}

    Result<Desired> make() {
        PST_TRY(vips());
        PST_TRY(backends());
        retire();
        PST_TRY(services());
        return std::move(out_);
    }

private:
    Status vips() {
        for (const compile::Vip& vip : steering_.vips) {
            const VipKey key{vip.address, static_cast<std::uint8_t>(vip.transport)};
            if (observed_.taken != nullptr && observed_.taken->contains(key)) {
                continue;
            }
            if (out_.vips.size() == observed_.vips_max) {
                return full("pst_vips", observed_.vips_max, vip.listener_name + " " + vip.address.text(), "vips_max");
            }
            const bool steered = vip.target == compile::Vip::Target::service;
            pst_vip record{};
            record.kind = steered ? PST_VIP_SERVICE : PST_VIP_OURS;
            record.service = steered ? vip.service : std::uint16_t{0};
            record.listener = vip.listener;
            out_.vips.emplace_hint(out_.vips.end(), key, record);
            out_.filter.slot[filter_slot(vip.address.address)] |= PST_FILTER_VIP;
        }
        return success();
    }

    Status backends() {
        std::vector<bool> draining(observed_.backends.size());
        for (const Service& service : steering_.services) {
            for (const auto& backend : service.backends) {
                if (backend.backend < draining.size()) {
                    draining[backend.backend] = backend.draining;
                }
            }
        }
        by_id_.resize(observed_.backends.size());
        out_.backends.reserve(steering_.backends.size());
        for (const Backend& backend : steering_.backends) {
            if (backend.id == 0 || backend.id >= observed_.backends.size()) {
                return full("pst_backends", observed_.backends.size(), backend.endpoint.text() + " of " + backend.object.name, "backends_max");
            }
            out_.backends.emplace_back(backend.id, record_of(backend, draining[backend.id]));
            by_id_[backend.id] = {&backend.endpoint, out_.backends.back().second.exit != PST_EXIT_NONE};
        }
        return success();
    }

    pst_backend record_of(const Backend& backend, bool draining) {
        pst_backend record{};
        put_bytes(record.addr, backend.endpoint.address.bytes);
        record.port_be = htons(backend.endpoint.port);
        record.service = backend.service;
        record.flags = static_cast<std::uint8_t>(PST_BACKEND_READY | (draining ? PST_BACKEND_NO_NEW : 0));
        record.way = PST_WAY_NAT;
        if (const auto found = reach_.find(backend.endpoint.address); found != reach_.end()) {
            put_reach(record, found->second);
            if (found->second.exit != Reach::Exit::none) {
                out_.filter.slot[filter_slot(found->second.source)] |= PST_FILTER_NAT;
            }
        }
        const pst_backend& old = observed_.backends[backend.id];
        const bool fresh = old.port_be == 0;
        record.generation = static_cast<std::uint8_t>(old.generation + (fresh || same_endpoint(old, record) ? 0 : 1));
        return record;
    }

    // Extents that were in use at the last plan and are not now may still be held by a packet.
    void retire() {
        state_.seen.resize(observed_.services.size(), 0);
        for (std::size_t id = 0; id < observed_.services.size(); ++id) {
            const pst_service_word_t now = observed_.services[id];
            const pst_service_word_t before = std::exchange(state_.seen[id], now);
            if (before != now && pst_service_size(before) != 0) {
                state_.retired.push_back({extent_of(before), now_ms_ + State::kGraceMs});
            }
            slab_.use(extent_of(now));
        }
        while (!state_.retired.empty() && state_.retired.front().free_at_ms <= now_ms_) {
            state_.retired.pop_front();
        }
        for (const State::Retired& retired : state_.retired) {
            slab_.use(retired.extent);
        }
    }

    Status services() {
        for (const Service& service : steering_.services) {
            if (service.id == 0 || service.id >= observed_.services.size()) {
                return full("pst_services", observed_.services.size(), service.name, "services_max");
            }
            PST_TRY(add_service(service));
        }
        if (state_.tables.size() > out_.services.size()) {
            std::unordered_set<std::uint16_t> named;
            for (const auto& [id, table] : out_.services) {
                named.insert(id);
            }
            std::erase_if(state_.tables, [&](const auto& entry) { return !named.contains(entry.first); });
        }
        return success();
    }

    // Also those that are down have a place in the table: the overlay takes their slots, and gives them back.
    [[nodiscard]] std::vector<State::Member> members_of(const Service& service) const {
        std::vector<State::Member> members;
        members.reserve(service.backends.size());
        bool any_up = false;
        for (const auto& backend : service.backends) {
            const Known& known = by_id_.at(backend.backend);
            PST_ASSERT(known.endpoint != nullptr);
            members.push_back({*known.endpoint, backend.weight, backend.backend, !backend.draining && known.exits});
            any_up |= members.back().up && backend.weight > 0;
        }
        if (!any_up) {
            // Nobody can be reached just now: the drop is counted for whoever would have got the flow.
            for (std::size_t i = 0; i < members.size(); ++i) {
                members[i].up = !service.backends[i].draining;
            }
        }
        return members;
    }

    Status add_service(const Service& service) {
        State::Cached& cached = state_.tables[service.id];
        refresh(cached, members_of(service));
        Desired::Table table{.word = 0, .slots = cached.slots, .written = true};
        if (!cached.slots->empty()) {
            PST_TRY(place(service, cached, table));
        }
        out_.services.emplace_back(service.id, std::move(table));
        return success();
    }

    static void refresh(State::Cached& cached, std::vector<State::Member> members) {
        if (cached.slots != nullptr && cached.members == members) {
            return;
        }
        const auto same_base = [](const State::Member& a, const State::Member& b) { return a.endpoint == b.endpoint && a.weight == b.weight; };
        if (cached.slots == nullptr || !std::equal(members.begin(), members.end(), cached.members.begin(), cached.members.end(), same_base)) {
            std::vector<MaglevMember> named;
            for (const State::Member& member : members) {
                named.push_back({member.endpoint.text(), member.weight});
            }
            cached.base = maglev_table(named);
        }
        std::vector<bool> up;
        for (const State::Member& member : members) {
            up.push_back(member.up && member.weight > 0);
        }
        auto slots = std::make_shared<std::vector<std::uint32_t>>(overlay(cached.base, up));
        for (std::uint32_t& slot : *slots) {
            slot = members[slot].backend;
        }
        cached.members = std::move(members);
        cached.slots = std::move(slots);
        cached.word = 0;
    }

    // What is there stays where it is; what is new gets an extent that no packet reads.
    Status place(const Service& service, State::Cached& cached, Desired::Table& table) {
        const pst_service_word_t now = observed_.services[service.id];
        const bool there = now != 0 && (now == cached.word || holds(now, *cached.slots));
        if (there) {
            table.word = cached.word = now;
            return success();
        }
        const auto size = static_cast<std::uint32_t>(cached.slots->size());
        const auto extent = slab_.take(size);
        if (!extent) {
            Error error = full("pst_slots", observed_.slots.size(), service.name, "slots_max");
            if (!state_.retired.empty()) {
                error.hint += "; some of it is free again in a second";
            }
            return error;
        }
        const auto generation = static_cast<std::uint8_t>(pst_service_generation(now) + 1);
        table.word = cached.word = pst_service_word(extent->offset, size, generation);
        table.written = false;
        return success();
    }

    [[nodiscard]] bool holds(pst_service_word_t word, const std::vector<std::uint32_t>& slots) const {
        const Extent extent = extent_of(word);
        return extent.size == slots.size() && extent.offset + std::uint64_t{extent.size} <= observed_.slots.size() &&
               std::equal(slots.begin(), slots.end(), observed_.slots.begin() + extent.offset);
    }

    const Steering& steering_;
    const ReachTable& reach_;
    const Observed& observed_;
    State& state_;
    std::int64_t now_ms_;
    Slab slab_;
    Desired out_;
    struct Known {
        const Endpoint* endpoint = nullptr;
        bool exits = false;
    };
    std::vector<Known> by_id_;  // of this plan's backends
};

}  // namespace

bool same_endpoint(const pst_backend& a, const pst_backend& b) {
    return std::memcmp(a.addr, b.addr, sizeof(a.addr)) == 0 && a.port_be == b.port_be && a.service == b.service;
}

Result<Desired> desire(const Steering& steering, const ReachTable& reach, const Observed& observed, State& state, std::int64_t now_ms) {
    return Planner(steering, reach, observed, state, now_ms).make();
}

}  // namespace penstock::plan
