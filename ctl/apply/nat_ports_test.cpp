// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/nat_ports.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::apply;

TEST_CASE("apply: NAT ports that the kernel may take itself are refused with a hint") {
    CHECK(check_nat_ports({61000, 65535}, {32768, 60999}).ok());
    CHECK(check_nat_ports({12288, 28671}, {32768, 60999}).ok());
    for (const PortSpan nat : {PortSpan{60999, 65535}, PortSpan{1024, 32768}, PortSpan{40000, 41000}, PortSpan{1, 65535}, PortSpan{5, 4}, PortSpan{0, 9}}) {
        const auto refused = check_nat_ports(nat, {32768, 60999});
        REQUIRE_FALSE(refused.ok());
        CHECK(refused.error().hint.find("--nat-ports") != std::string::npos);
    }
}
