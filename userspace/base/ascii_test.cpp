// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/ascii.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;

TEST_CASE("ascii: letters lose their case, and nothing else changes") {
    CHECK(lower("AZaz09-._@[`{ \xc3\x84") == "azaz09-._@[`{ \xc3\x84");
    CHECK(lower("").empty());
    CHECK(lower('Q') == 'q');
}
