// SPDX-License-Identifier: Apache-2.0
// Room in the slab of slots. Pure: made anew for each plan from the extents that are in use, it only hands out what is free. Extents begin at
// a line (PST_SLOTS_PER_LINE slots), so two never share one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

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
    [[nodiscard]] std::uint64_t free_slots() const { return free_slots_; }

private:
    using Places = std::map<std::uint64_t, std::uint64_t>;
    void insert(std::uint64_t begin, std::uint64_t end);
    Places::iterator remove(Places::iterator at);

    Places by_offset_;                                            // begin -> end, free
    std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_;   // size, begin
    std::uint64_t free_slots_ = 0;
};

}  // namespace penstock::plan
