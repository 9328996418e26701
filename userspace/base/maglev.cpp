// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/maglev.hpp"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "userspace/base/assert.hpp"

namespace penstock {

namespace {

// The largest primes below the powers of two, and the limit: a table grows by doubling.
constexpr std::array<std::uint32_t, 13> kSizes = {251,   509,   1021,  2039,   4093,   8191,  16381,
                                                  32749, 65521, 131071, 262139, 524287, kMaglevSizeMax};
constexpr std::size_t kSlotsPerMember = 80;
constexpr std::uint32_t kFree = UINT32_MAX;

// A member's own order of slots: offset, offset + skip, ... modulo the prime size visits each once.
struct Walk {
    std::uint32_t at = 0;
    std::uint32_t skip = 1;
    std::uint64_t credit = 0;
    std::uint32_t weight = 0;
    std::uint32_t member = 0;
};

Walk walk_of(const MaglevMember& member, std::uint32_t index, std::uint32_t size) {
    const XXH128_hash_t hash = XXH3_128bits(member.name.data(), member.name.size());
    return {.at = static_cast<std::uint32_t>(hash.low64 % size),
            .skip = static_cast<std::uint32_t>(hash.high64 % (size - 1)) + 1,
            .weight = member.weight,
            .member = index};
}

// The members that have a weight, by name: the order in which they take turns must not depend on the caller's.
std::vector<Walk> walks_of(const std::vector<MaglevMember>& members, std::uint32_t size) {
    std::vector<std::uint32_t> order(members.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return members[a].name < members[b].name; });
    std::vector<Walk> walks;
    for (const std::uint32_t index : order) {
        if (members[index].weight > 0) {
            walks.push_back(walk_of(members[index], index, size));
        }
    }
    return walks;
}

void take_next(Walk& walk, std::vector<std::uint32_t>& table) {
    const auto size = static_cast<std::uint32_t>(table.size());
    while (table[walk.at] != kFree) {
        walk.at += walk.skip;
        walk.at -= walk.at >= size ? size : 0;
    }
    table[walk.at] = walk.member;
}

}  // namespace

std::uint32_t maglev_size(std::size_t members) {
    const auto* found = std::find_if(kSizes.begin(), kSizes.end(), [&](std::uint32_t size) { return size >= members * kSlotsPerMember; });
    return found == kSizes.end() ? kMaglevSizeMax : *found;
}

std::vector<std::uint32_t> maglev_table(const std::vector<MaglevMember>& members, std::uint32_t size) {
    PST_ASSERT(size >= 2);
    std::vector<Walk> walks = walks_of(members, size);
    if (walks.empty()) {
        return {};
    }
    const std::uint32_t heaviest = std::max_element(walks.begin(), walks.end(), [](const Walk& a, const Walk& b) { return a.weight < b.weight; })->weight;
    // Half a turn ahead: a light member's first slot comes as early as its share says, not only after a whole cycle.
    for (Walk& walk : walks) {
        walk.credit = heaviest / 2;
    }
    std::vector<std::uint32_t> table(size, kFree);
    for (std::uint32_t filled = 0;;) {
        for (Walk& walk : walks) {
            walk.credit += walk.weight;
            if (walk.credit < heaviest) {
                continue;
            }
            walk.credit -= heaviest;
            take_next(walk, table);
            if (++filled == size) {
                return table;
            }
        }
    }
}

std::uint32_t maglev_slot(std::string_view key, std::uint32_t size) { return static_cast<std::uint32_t>(XXH3_64bits(key.data(), key.size()) % size); }

}  // namespace penstock
