// SPDX-License-Identifier: Apache-2.0
#include "ctl/check/suites.hpp"

#include "tools/test/catch.hpp"

namespace penstock::check {

TEST_CASE("check: cipher suites are known by both their names, and parted by version") {
    const auto suites = check_suites({"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"});
    REQUIRE(suites.ok());
    CHECK(suites->tls12 == "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305");
    CHECK(suites->tls13 == "TLS_AES_256_GCM_SHA384");
    for (const char* bad : {"", "HIGH", "RC4-MD5", "AES128-SHA", "ECDHE-RSA-AES128-GCM-SHA256:ALL"}) {
        INFO(bad);
        CHECK_FALSE(check_suites({bad}).ok());
    }
}

TEST_CASE("check: groups are those of OpenSSL, one name each") {
    CHECK(check_group("X25519").ok());
    CHECK(check_group("P-256").ok());
    for (const char* bad : {"", "-P-256", "X25519:P-256", "*X25519", "P-1"}) {
        INFO(bad);
        CHECK_FALSE(check_group(bad).ok());
    }
}

}  // namespace penstock::check
