// SPDX-License-Identifier: Apache-2.0
// The order of the steps is the whole point of this file. Prepare goes from the back of a packet's path to its front, finish the other way:
//
//   prepare   NAT filter - backends - slots - words - VIPs that lead to services - VIP filter
//   finish    VIPs that lead to the worker - VIP filter off - VIPs away - words 0 - backends not ready - NAT filter off
#include <algorithm>
#include <cstring>
#include <iterator>
#include <set>

#include "bpf/core/pst_service.h"
#include "ctl/plan/steering_plan.hpp"

namespace penstock::plan {

namespace {

class Differ {
public:
    Differ(const Observed& observed, const Desired& desired)
        : observed_(observed), desired_(desired), filter_(*observed.filter), services_(observed.services.size()), backends_(observed.backends.size()) {
        for (const auto& [id, table] : desired.services) {
            services_[id] = true;
        }
        for (const auto& [id, backend] : desired.backends) {
            backends_[id] = true;
        }
        compare_vips();
    }

    std::vector<Step> make() {
        phase_ = Phase::prepare;
        raise_filter(PST_FILTER_NAT);
        put_services();
        put_vips(to_services_);
        raise_filter(PST_FILTER_VIP);
        phase_ = Phase::finish;
        put_vips(to_worker_);
        lower_filter(PST_FILTER_VIP);
        for (const VipKey& key : gone_) {
            add(EraseVip{key});
        }
        clear_services();
        clear_backends();
        lower_filter(PST_FILTER_NAT);
        return std::move(steps_);
    }

private:
    void add(Step::What what) { steps_.push_back({phase_, std::move(what)}); }

    // ---- filter: filter_ is what the map holds after the steps so far
    void set_filter(std::size_t slot, std::uint8_t value) {
        if (filter_.slot[slot] != value) {
            filter_.slot[slot] = value;
            add(PutFilter{static_cast<std::uint16_t>(slot), value});
        }
    }
    void raise_filter(std::uint8_t bit) {
        for (std::size_t slot = 0; slot < PST_FILTER_SIZE; ++slot) {
            set_filter(slot, static_cast<std::uint8_t>(filter_.slot[slot] | (desired_.filter.slot[slot] & bit)));
        }
    }
    void lower_filter(std::uint8_t bit) {
        for (std::size_t slot = 0; slot < PST_FILTER_SIZE; ++slot) {
            set_filter(slot, static_cast<std::uint8_t>(filter_.slot[slot] & ~(bit & ~desired_.filter.slot[slot])));
        }
    }

    // ---- backends and services
    [[nodiscard]] bool is_reused(std::uint32_t id, const pst_backend& wanted) const {
        const pst_backend& old = observed_.backends[id];
        return old.port_be != 0 && !same_endpoint(old, wanted);
    }

    void put_backend(std::uint32_t id, const pst_backend& wanted) {
        if (std::memcmp(&observed_.backends[id], &wanted, sizeof(wanted)) != 0) {
            add(PutBackend{id, wanted, is_reused(id, wanted)});
        }
    }

    void put_service(std::uint16_t id, const Desired::Table& table) {
        if (!table.written) {
            add(PutSlots{pst_service_offset(table.word), table.slots});
        }
        if (observed_.services[id] != table.word || parked_.contains(id)) {
            add(PutService{id, table.word});
        }
    }

    // An id that goes over to another endpoint must be in no table that a packet still reads. compile gives ids out in a circle, so this is
    // rare; where old and new tables depend on each other, the old service has no backend for the moment of the change.
    void put_services() {
        std::set<std::uint32_t> reused;
        for (const auto& [id, wanted] : desired_.backends) {
            if (is_reused(id, wanted)) {
                reused.insert(id);
            } else {
                put_backend(id, wanted);
            }
        }
        std::set<std::uint16_t> late;
        for (const auto& [id, table] : desired_.services) {
            if (names_any(*table.slots, reused)) {
                late.insert(id);
            } else {
                put_service(id, table);
            }
        }
        if (reused.empty()) {
            return;
        }
        park(reused, late);
        for (const auto& [id, wanted] : desired_.backends) {
            if (reused.contains(id)) {
                put_backend(id, wanted);
            }
        }
        for (const auto& [id, table] : desired_.services) {
            if (late.contains(id)) {
                put_service(id, table);
            }
        }
    }

    void park(const std::set<std::uint32_t>& reused, const std::set<std::uint16_t>& late) {
        for (std::size_t index = 0; index < observed_.services.size(); ++index) {
            const auto id = static_cast<std::uint16_t>(index);
            const bool done = services_[index] && !late.contains(id);
            if (observed_.services[index] != 0 && !done && names_any(slots_of(observed_.services[index]), reused)) {
                add(PutService{id, 0});
                parked_.insert(id);
            }
        }
    }

    [[nodiscard]] std::span<const std::uint32_t> slots_of(pst_service_word_t word) const {
        const std::size_t offset = pst_service_offset(word);
        const std::size_t size = pst_service_size(word);
        return offset + size <= observed_.slots.size() ? observed_.slots.subspan(offset, size) : std::span<const std::uint32_t>();
    }

    static bool names_any(std::span<const std::uint32_t> slots, const std::set<std::uint32_t>& ids) {
        return !ids.empty() && std::any_of(slots.begin(), slots.end(), [&](std::uint32_t id) { return ids.contains(id); });
    }

    void clear_services() {
        for (std::size_t id = 0; id < observed_.services.size(); ++id) {
            const auto service = static_cast<std::uint16_t>(id);
            if (observed_.services[id] != 0 && !services_[id] && !parked_.contains(service)) {
                add(PutService{service, 0});
            }
        }
    }

    // Address and generation stay: should the id come back, they say whether it is the same endpoint.
    void clear_backends() {
        for (std::size_t id = 0; id < observed_.backends.size(); ++id) {
            if (observed_.backends[id].flags != 0 && !backends_[id]) {
                pst_backend gone = observed_.backends[id];
                gone.flags = 0;
                add(PutBackend{static_cast<std::uint32_t>(id), gone, false});
            }
        }
    }

    // ---- VIPs: both tables are sorted, so one walk over the two tells what is new, changed and gone
    void compare_vips() {
        auto old = observed_.vips->begin();
        for (const auto& entry : desired_.vips) {
            while (old != observed_.vips->end() && old->first < entry.first) {
                gone_.push_back((old++)->first);
            }
            const bool there = old != observed_.vips->end() && old->first == entry.first;
            if (!there || std::memcmp(&old->second, &entry.second, sizeof(pst_vip)) != 0) {
                (entry.second.kind == PST_VIP_SERVICE ? to_services_ : to_worker_).push_back(&entry);
            }
            old = there ? std::next(old) : old;
        }
        for (; old != observed_.vips->end(); ++old) {
            gone_.push_back(old->first);
        }
    }
    using Vips = std::vector<const std::pair<const VipKey, pst_vip>*>;
    void put_vips(const Vips& vips) {
        for (const auto* vip : vips) {
            add(PutVip{vip->first, vip->second});
        }
    }

    const Observed& observed_;
    const Desired& desired_;
    pst_filter filter_;
    std::set<std::uint16_t> parked_;  // services whose word is 0 for the moment
    std::vector<bool> services_;      // those that are desired
    std::vector<bool> backends_;
    Vips to_services_;
    Vips to_worker_;
    std::vector<VipKey> gone_;
    Phase phase_ = Phase::prepare;
    std::vector<Step> steps_;
};

}  // namespace

std::vector<Step> diff(const Observed& observed, const Desired& desired) { return Differ(observed, desired).make(); }

}  // namespace penstock::plan
