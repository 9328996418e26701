// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/slab.hpp"

#include <algorithm>
#include <iterator>

#include "bpf/abi/pst_abi.h"

namespace penstock::plan {

namespace {

std::uint64_t round_up(std::uint64_t slots) { return (slots + PST_SLOTS_PER_LINE - 1) / PST_SLOTS_PER_LINE * PST_SLOTS_PER_LINE; }

}  // namespace

Slab::Slab(std::uint32_t slots_max) { insert(0, slots_max / PST_SLOTS_PER_LINE * PST_SLOTS_PER_LINE); }

void Slab::insert(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) {
        return;
    }
    by_offset_.emplace(begin, end);
    by_size_.emplace(end - begin, begin);
    free_slots_ += end - begin;
}

Slab::Places::iterator Slab::remove(Places::iterator at) {
    const std::uint64_t size = at->second - at->first;
    by_size_.erase({size, at->first});
    free_slots_ -= size;
    return by_offset_.erase(at);
}

void Slab::use(const Extent& extent) {
    if (extent.size == 0) {
        return;
    }
    const std::uint64_t begin = extent.offset / PST_SLOTS_PER_LINE * PST_SLOTS_PER_LINE;
    const std::uint64_t end = round_up(static_cast<std::uint64_t>(extent.offset) + extent.size);
    auto at = by_offset_.upper_bound(begin);
    if (at != by_offset_.begin() && std::prev(at)->second > begin) {
        --at;
    }
    while (at != by_offset_.end() && at->first < end) {
        const auto [free_begin, free_end] = *at;
        at = remove(at);
        insert(free_begin, std::min(free_end, begin));
        insert(end, std::max(free_end, end));
    }
}

std::optional<Extent> Slab::take(std::uint32_t size) {
    const auto at = by_size_.lower_bound({round_up(size), 0});
    if (size == 0 || at == by_size_.end()) {
        return std::nullopt;
    }
    const Extent extent{static_cast<std::uint32_t>(at->second), size};
    use(extent);
    return extent;
}

}  // namespace penstock::plan
