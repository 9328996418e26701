// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/maps.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/pst_edge.skel.h"
#include "userspace/base/assert.hpp"

namespace penstock::apply {

namespace {

// `T` may be smaller than a value: then the array is one of its parts.
template <class T>
Result<MappedArray<T>> map_array(const bpf_map* map) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const std::size_t size = static_cast<std::size_t>(bpf_map__max_entries(map)) * bpf_map__value_size(map);
    const std::size_t bytes = (size + page - 1) / page * page;
    void* start = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);
    if (start == MAP_FAILED) {
        return sys_error(std::string("map ") + bpf_map__name(map) + " into memory");
    }
    return MappedArray<T>(static_cast<T*>(start), size / sizeof(T), bytes);
}

template <class T>
void store(T& place, T value) {
    __atomic_store_n(&place, value, __ATOMIC_RELEASE);
}

void add(pst_verdict_count& sum, const pst_verdict_count& one) {
    sum.packets += one.packets;
    sum.bytes += one.bytes;
}
void add(pst_service_count& sum, const pst_service_count& one) {
    sum.packets_dropped += one.packets_dropped;
    sum.bytes_dropped += one.bytes_dropped;
}
void add(pst_backend_count& sum, const pst_backend_count& one) {
    sum.packets_in += one.packets_in;
    sum.bytes_in += one.bytes_in;
    sum.packets_out += one.packets_out;
    sum.bytes_out += one.bytes_out;
    sum.flows_new += one.flows_new;
    sum.flows_proven += one.flows_proven;
}

template <class T>
T sum_of(const std::vector<T>& parts) {
    T sum{};
    for (const T& part : parts) {
        add(sum, part);
    }
    return sum;
}

}  // namespace

Result<Maps> Maps::open(const pst_edge& object) {
    Maps maps(object);
    PST_TRY_ASSIGN(maps.filter_, map_array<pst_filter>(object.maps.pst_filter));
    PST_TRY_ASSIGN(maps.services_, map_array<pst_service_word_t>(object.maps.pst_services));
    PST_TRY_ASSIGN(maps.slots_, map_array<std::uint32_t>(object.maps.pst_slots));
    PST_TRY_ASSIGN(maps.backends_, map_array<pst_backend>(object.maps.pst_backends));
    PST_TRY_ASSIGN(maps.links_, map_array<pst_link>(object.maps.pst_links));
    maps.vips_max_ = bpf_map__max_entries(object.maps.pst_vips);
    PST_TRY(maps.read_hashes());
    return maps;
}

Status Maps::read_hashes() {
    pst_vip_key key{};
    pst_vip vip{};
    for (const pst_vip_key* at = nullptr; bpf_map_get_next_key(bpf_map__fd(object_->maps.pst_vips), at, &key) == 0; at = &key) {
        if (bpf_map_lookup_elem(bpf_map__fd(object_->maps.pst_vips), &key, &vip) != 0) {
            return sys_error("read pst_vips");
        }
        vips_[plan::from_abi(key)] = vip;
    }
    std::uint32_t ifindex = 0;
    std::uint32_t number = 0;
    for (const std::uint32_t* at = nullptr; bpf_map_get_next_key(bpf_map__fd(object_->maps.pst_link_of), at, &ifindex) == 0; at = &ifindex) {
        if (bpf_map_lookup_elem(bpf_map__fd(object_->maps.pst_link_of), &ifindex, &number) != 0) {
            return sys_error("read pst_link_of");
        }
        link_of_[ifindex] = number;
    }
    return success();
}

plan::Observed Maps::observed() const {
    return {.filter = filter_.get().data(),
            .vips = &vips_,
            .vips_max = vips_max_,
            .services = services_.get(),
            .slots = slots_.get(),
            .backends = backends_.get()};
}

pst_config Maps::config() const {
    pst_config config{};
    const std::uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(object_->maps.pst_config), &zero, &config) != 0) {
        config = {};
    }
    return config;
}

// ---- writing ----------------------------------------------------------------------------------------------------------

struct Maps::Write {
    Maps& maps;
    const plan::Step& step;

    Status put(const bpf_map* map, const void* key, const void* value) const {
        if (bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY) == 0) {
            return success();
        }
        return sys_error(step.text(), errno == E2BIG ? std::string("the map is full: it holds ") + std::to_string(bpf_map__max_entries(map)) + " entries" : "");
    }
    Status erase(const bpf_map* map, const void* key) const {
        if (bpf_map_delete_elem(bpf_map__fd(map), key) == 0 || errno == ENOENT) {
            return success();
        }
        return sys_error(step.text());
    }

    Status operator()(const plan::PutConfig& s) const {
        const std::uint32_t zero = 0;
        return put(maps.object_->maps.pst_config, &zero, &s.config);
    }
    Status operator()(const plan::PutFilter& s) const {
        PST_ASSERT(s.slot < PST_FILTER_SIZE);
        store(maps.filter_.get()[0].slot[s.slot], s.value);
        return success();
    }
    Status operator()(const plan::PutVip& s) const {
        const pst_vip_key key = to_abi(s.key);
        PST_TRY(put(maps.object_->maps.pst_vips, &key, &s.vip));
        maps.vips_[s.key] = s.vip;
        return success();
    }
    Status operator()(const plan::EraseVip& s) const {
        const pst_vip_key key = to_abi(s.key);
        PST_TRY(erase(maps.object_->maps.pst_vips, &key));
        maps.vips_.erase(s.key);
        return success();
    }
    Status operator()(const plan::PutSlots& s) const {
        const auto slots = maps.slots_.get();
        PST_ASSERT(s.offset + s.slots->size() <= slots.size());
        std::copy(s.slots->begin(), s.slots->end(), slots.begin() + s.offset);
        return success();
    }
    // One store: a packet meets the old table or the new one. All slots are written before it.
    Status operator()(const plan::PutService& s) const {
        PST_ASSERT(s.service < maps.services_.get().size());
        store(maps.services_.get()[s.service], s.word);
        return success();
    }
    Status operator()(const plan::PutBackend& s) const {
        PST_ASSERT(s.id < maps.backends_.get().size());
        pst_backend& place = maps.backends_.get()[s.id];
        if (s.zero_counts) {
            store(place.flags, std::uint8_t{0});
            const std::vector<pst_backend_count> zeros(static_cast<std::size_t>(libbpf_num_possible_cpus()));
            PST_TRY(put(maps.object_->maps.pst_backend_n, &s.id, zeros.data()));
        }
        // Addresses and exit first, then the flags that make them count. A packet that meets the middle of a changed exit is lost, not sent astray
        // by a record that is half another's.
        if (place.exit != s.backend.exit || std::memcmp(&place.hop, &s.backend.hop, sizeof(place.hop)) != 0 || place.ifindex != s.backend.ifindex) {
            store(place.exit, std::uint8_t{PST_EXIT_NONE});
        }
        pst_backend fresh = s.backend;
        fresh.flags = place.flags;
        fresh.exit = place.exit;
        std::memcpy(static_cast<void*>(&place), &fresh, sizeof(place));
        store(place.exit, s.backend.exit);
        store(place.flags, s.backend.flags);
        return success();
    }
    Status operator()(const plan::PutLink& s) const {
        PST_ASSERT(s.number < maps.links_.get().size());
        pst_link& place = maps.links_.get()[s.number];
        pst_link fresh = s.link;
        fresh.ifindex = place.ifindex == s.link.ifindex ? place.ifindex : 0;
        std::memcpy(static_cast<void*>(&place), &fresh, sizeof(place));
        store(place.ifindex, s.link.ifindex);
        return success();
    }
    Status operator()(const plan::PutLinkOf& s) const {
        PST_TRY(put(maps.object_->maps.pst_link_of, &s.ifindex, &s.number));
        maps.link_of_[s.ifindex] = s.number;
        return success();
    }
    Status operator()(const plan::EraseLinkOf& s) const {
        PST_TRY(erase(maps.object_->maps.pst_link_of, &s.ifindex));
        maps.link_of_.erase(s.ifindex);
        return success();
    }
};

Status Maps::write(const plan::Step& step) { return std::visit(Write{*this, step}, step.what); }

// ---- counters ---------------------------------------------------------------------------------------------------------

template <class T>
std::vector<T> Maps::per_cpu(const bpf_map* map, std::uint32_t key) const {
    std::vector<T> parts(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    if (bpf_map_lookup_elem(bpf_map__fd(map), &key, parts.data()) != 0) {
        parts.clear();
    }
    return parts;
}

pst_verdict_count Maps::verdict(std::uint32_t verdict) const { return sum_of(per_cpu<pst_verdict_count>(object_->maps.pst_counts, verdict)); }
pst_backend_count Maps::backend(std::uint32_t id) const { return sum_of(per_cpu<pst_backend_count>(object_->maps.pst_backend_n, id)); }
pst_service_count Maps::service(std::uint32_t id) const { return sum_of(per_cpu<pst_service_count>(object_->maps.pst_service_n, id)); }

}  // namespace penstock::apply
