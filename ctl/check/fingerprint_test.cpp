// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/fingerprint.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::check;

TEST_CASE("fingerprint: the first half of SHA-256") {
    CHECK(fingerprint_of("abc") == "ba7816bf8f01cfea414140de5dae2223");
    CHECK(fingerprint_of("") == "e3b0c44298fc1c149afbf4c8996fb924");
}
