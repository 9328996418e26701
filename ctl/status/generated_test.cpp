// SPDX-License-Identifier: Apache-2.0
#include "ctl/status/generated.hpp"

#include "ctl/model/formats.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::status;

TEST_CASE("generated: names are good for Services whatever a Gateway is called, and differ where Gateways' do") {
    const std::string longest(253, 'a');
    CHECK(generated_name("edge") == "edge-penstock");
    CHECK(generated_name("a.b") != generated_name("a-b"));
    CHECK(generated_name(longest) != generated_name(longest.substr(1)));
    for (const std::string& name : {std::string("edge"), std::string("a.b.c"), std::string("0edge"), longest, longest + ".b", std::string(60, 'a') + "-.b"}) {
        INFO(name);
        CHECK(model::is_service_name(generated_name(name)));
        CHECK(generated_name(name).size() + 5 <= 63);
    }
}
