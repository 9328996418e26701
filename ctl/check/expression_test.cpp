// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/expression.hpp"

#include <string>

#include "tools/test/catch.hpp"

namespace penstock::check {

TEST_CASE("check: an expression that the worker can run is accepted") {
    for (const char* pattern : {"/v[0-9]+/.*", "", "(?i)canary", "[a-z]{1,64}"}) {
        CHECK(check_expression(pattern).ok());
    }
}

TEST_CASE("check: an expression is refused if it is wrong, too long or grows too large") {
    CHECK_FALSE(check_expression("/v[0-9").ok());
    CHECK_FALSE(check_expression("(?=lookahead)").ok());
    CHECK_FALSE(check_expression(std::string(5000, 'a')).ok());
    CHECK_FALSE(check_expression("((((a{100}){100}){100}){100})").ok());
}

}  // namespace penstock::check
