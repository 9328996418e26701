// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/conditions.hpp"

#include <nlohmann/json.hpp>

#include "ctl/compile/status.hpp"
#include "tools/test/catch.hpp"

using namespace penstock::compile;

TEST_CASE("conditions: faults of one thing are told each once, by the first one's reason") {
    std::optional<Condition> all;
    for (const char* text : {"a", "b", "a", "ab", "b"}) {
        add_fault(all, {ConditionReason::RouteAccepted_unsupported_value, text});
    }
    REQUIRE(all.has_value());
    CHECK(all->message == "a; b; ab");
    add_fault(all, {ConditionReason::GatewayAccepted_unsupported_address, "c"});
    CHECK(all->reason == ConditionReason::RouteAccepted_unsupported_value);
}

TEST_CASE("conditions: thousands of faults make a message that an API server takes") {
    std::optional<Condition> all;
    for (int i = 0; i < 4096; ++i) {
        add_fault(all, {ConditionReason::RouteAccepted_unsupported_value, "spec.rules[" + std::to_string(i) + "].filters[0]: a filter of type ExtensionRef is not supported"});
    }
    CHECK(all->message.size() <= kFaultsTextMax + 16);
    CHECK(all->message.ends_with("not supported; and more"));
}

TEST_CASE("conditions: a message is cut between characters where an API server would refuse it") {
    ObjectStatus status;
    std::string message = "x";
    while (message.size() < 40'000) {
        message += "\xc3\xa4";
    }
    GatewayStatus gateway;
    gateway.conditions = {{ConditionReason::GatewayAccepted_unsupported_address, message}};
    status.body = gateway;
    const std::string told = to_json(status, "example.com/c")["conditions"][0]["message"];
    CHECK(told.size() < 9000);
    CHECK(told.ends_with("\xc3\xa4 ..."));
}
