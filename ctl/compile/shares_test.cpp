// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/shares.hpp"

#include "tools/test/catch.hpp"

namespace penstock::compile {

TEST_CASE("shares: endpoints get their reference's weight in equal pieces") {
    struct Row {
        std::vector<Share> shares;
        std::vector<std::uint32_t> want;
    };
    const Row rows[] = {
        {{}, {}},
        {{{1, 3}}, {1}},
        {{{70, 1}, {30, 1}, {0, 1}}, {7, 3, 0}},
        {{{1, 1}, {1, 2}}, {2, 1}},           // half the traffic over two endpoints
        {{{1, 2}, {1, 3}}, {3, 2}},
        {{{5, 0}, {1, 4}}, {0, 1}},           // nothing to give it to
        {{{1000000, 1}, {1, 1}}, {65535, 1}}, // does not fit: the least still gets some
        {{{1, 65521}, {1, 65519}}, {1, 1}},   // two large primes
    };
    for (const Row& row : rows) {
        CHECK(endpoint_weights(row.shares) == row.want);
    }
}

}  // namespace penstock::compile
