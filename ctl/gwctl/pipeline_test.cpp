// SPDX-License-Identifier: Apache-2.0
// What pipeline_fuzz.cpp looks for, for a moment: random edits of every golden case.
#include <random>

#include "ctl/gwctl/test_junk.hpp"
#include "ctl/gwctl/test_pipeline.hpp"
#include "tools/test/catch.hpp"

namespace penstock::gwctl::testing {

TEST_CASE("pipeline: good objects and a neighbour") {
    const Junk junk(PST_CASES, {"beside", "192.0.2.77"});
    Pipeline pipeline;
    for (std::size_t number = 0; number < junk.cases(); ++number) {
        CAPTURE(number);
        Bytes none({});
        CHECK(pipeline.faults_of(junk.documents(number, none), number % 2 == 0) == Faults());
    }
}

TEST_CASE("pipeline: objects with random faults leave a neighbour alone") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const Junk junk(PST_CASES, {"beside", "192.0.2.77"});
    Pipeline pipeline;
    for (std::size_t number = 0; number < 2 * junk.cases(); ++number) {
        std::vector<std::uint8_t> edits(8 + random() % 200);
        std::generate(edits.begin(), edits.end(), [&] { return static_cast<std::uint8_t>(random()); });
        CAPTURE(number, edits);
        Bytes bytes(edits);
        CHECK(pipeline.faults_of(junk.documents(number, bytes), number % 3 != 0) == Faults());
    }
}

}  // namespace penstock::gwctl::testing
