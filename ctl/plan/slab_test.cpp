// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/slab.hpp"

#include <random>
#include <vector>

#include "tools/test/catch.hpp"

using namespace penstock::plan;

TEST_CASE("slab: extents begin at lines and fill up the smallest place that takes them") {
    Slab slab(1024);
    slab.use({0, 100});      // 0 to 112
    slab.use({160, 32});     // leaves 112 to 160
    CHECK(slab.take(40) == Extent{112, 40});
    CHECK(slab.take(16) == Extent{192, 16});
    CHECK(slab.free_slots() == 1024 - 208);
}

TEST_CASE("slab: what does not fit is refused, and nothing is lost by it") {
    Slab slab(64);
    CHECK_FALSE(slab.take(65));
    CHECK_FALSE(slab.take(0));
    CHECK(slab.take(64) == Extent{0, 64});
    CHECK_FALSE(slab.take(1));
}

TEST_CASE("slab: overlapping extents and such over the end are marked once") {
    Slab slab(256);
    slab.use({0, 64});
    slab.use({32, 64});
    slab.use({240, 600});
    slab.use({4294967280U, 4294967295U});
    CHECK(slab.free_slots() == 256 - 96 - 16);
    CHECK(slab.take(144) == Extent{96, 144});
    CHECK(slab.free_slots() == 0);
}

TEST_CASE("slab: whatever is used, what is handed out is free and within bounds") {
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        Slab slab(4096);
        std::vector<bool> used(4096);
        const auto mark = [&](const Extent& extent, bool must_be_free) {
            for (std::uint64_t slot = extent.offset; slot < std::uint64_t{extent.offset} + extent.size && slot < 4096; ++slot) {
                if (must_be_free) {
                    REQUIRE_FALSE(used[slot]);
                }
                used[slot] = true;
            }
        };
        for (int i = 0; i < 60; ++i) {
            const Extent extent{static_cast<std::uint32_t>(random() % 256 * 16), static_cast<std::uint32_t>(random() % 200)};
            if (random() % 2 == 0) {
                slab.use(extent);
                mark(extent, false);
            } else if (const auto taken = slab.take(extent.size)) {
                REQUIRE(taken->offset % 16 == 0);
                REQUIRE(std::uint64_t{taken->offset} + taken->size <= 4096);
                mark(*taken, true);
            }
        }
    }
}
