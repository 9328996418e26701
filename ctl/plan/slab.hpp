// SPDX-License-Identifier: Apache-2.0
// Room in the slab of slots. Pure: made anew for each plan from the extents that are in use, it only hands out what is free. Extents begin at
// a line (PST_SLOTS_PER_LINE slots), so two never share one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace penstock::plan {

struct Extent {
    std::uint32_t offset = 0;  // first slot, a multiple of PST_SLOTS_PER_LINE
    std::uint32_t size = 0;    // slots

    auto operator<=>(const Extent&) const = default;
};

class Slab {
public:
    explicit Slab(std::uint32_t slots_max);
    // Marks an extent as used, also one that overlaps others or reaches over the end.
    void use(const Extent& extent);
    // The smallest free place that takes it; nothing if there is none.
    std::optional<Extent> take(std::uint32_t size);
    [[nodiscard]] std::uint32_t free_slots() const { return free_slots_; }

private:
    void insert(std::uint32_t begin, std::uint32_t end);
    void remove(std::map<std::uint32_t, std::uint32_t>::iterator at);

    std::map<std::uint32_t, std::uint32_t> by_offset_;       // begin -> end, free
    std::multimap<std::uint32_t, std::uint32_t> by_size_;    // size -> begin
    std::uint32_t free_slots_ = 0;
};

}  // namespace penstock::plan
