// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/annotation_values.hpp"

#include "tools/test/catch.hpp"

namespace penstock::compile {

TEST_CASE("annotations: numbers and sizes have no sign, blank or second unit") {
    CHECK(count_of("0") == 0);
    CHECK(count_of("18446744073709551615") == UINT64_MAX);
    for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1k", "0x1", "18446744073709551616"}) {
        INFO(bad);
        CHECK_FALSE(count_of(bad));
    }
    CHECK(bytes_of("4096") == 4096);
    CHECK(bytes_of("64Ki") == 65536);
    CHECK(bytes_of("10Mi") == 10U << 20U);
    CHECK(bytes_of("1Gi") == 1U << 30U);
    for (const char* bad : {"", "Ki", "1KiKi", "1k", "1.5Mi", "-1Ki", "18446744073709551615Ki"}) {
        INFO(bad);
        CHECK_FALSE(bytes_of(bad));
    }
}

TEST_CASE("annotations: a percentage is exact to a millionth") {
    CHECK(per_million_of("100%") == 1'000'000U);
    CHECK(per_million_of("0%") == 0U);
    CHECK(per_million_of("0.0001%") == 1U);
    CHECK(per_million_of("12.5%") == 125'000U);
    for (const char* bad : {"", "%", "1", "100.0001%", "1.%", ".5%", "0.00001%", "-1%", "1 %"}) {
        INFO(bad);
        CHECK_FALSE(per_million_of(bad));
    }
}

TEST_CASE("annotations: a list's parts are cut at commas") {
    CHECK(list_of("a, b,c ") == std::vector<std::string>{"a", "b", "c"});
    CHECK(list_of("") == std::vector<std::string>{""});
    CHECK(list_of("a,,") == std::vector<std::string>{"a", "", ""});
}

}  // namespace penstock::compile
