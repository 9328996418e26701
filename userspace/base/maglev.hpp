// SPDX-License-Identifier: Apache-2.0
// Weighted Maglev: which slot of a service's table belongs to which backend. Pure. It depends on names and weights alone, so all nodes
// that see the same endpoints make the same table, in whatever order they learnt of them. Health does not enter: who looks a slot up
// passes over those that are down, by an order of their own.
// A backend that comes or goes moves the slots that it gains or loses and few others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

struct MaglevMember {
    std::string name;          // the same on all nodes: "10.0.0.1:8080"; unique in the table
    std::uint32_t weight = 1;  // relative; 0: no slot

    bool operator==(const MaglevMember&) const = default;
};

inline constexpr std::uint32_t kMaglevSizeMin = 251;
inline constexpr std::uint32_t kMaglevSizeMax = 655373;

// Slots of a table with that many members: a prime, 80 to 160 for each member, so that growth by one seldom changes the size and 10,000
// services with three backends fit the slab. From 8,192 members on the share of each falls below that.
[[nodiscard]] std::uint32_t maglev_size(std::size_t members);

// For each slot the index of its member in `members`. Empty if no member has a weight.
[[nodiscard]] std::vector<std::uint32_t> maglev_table(const std::vector<MaglevMember>& members, std::uint32_t size);
[[nodiscard]] inline std::vector<std::uint32_t> maglev_table(const std::vector<MaglevMember>& members) {
    return maglev_table(members, maglev_size(members.size()));
}

// The slot of whatever has this key: the same on all nodes.
[[nodiscard]] std::uint32_t maglev_slot(std::string_view key, std::uint32_t size);

}  // namespace penstock
