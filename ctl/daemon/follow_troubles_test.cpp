// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/follow_troubles.hpp"

#include <algorithm>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;
using kubeapi::KindState;
using model::Kind;

namespace {

KindState well() { return {.api_version = "v1", .synced = true, .missing = false, .trouble = {}, .reason = {}}; }
KindState missing() { return {.api_version = {}, .synced = true, .missing = true, .trouble = "its CRD is not installed", .reason = "its CRD is not installed"}; }
KindState troubled(const std::string& reason) { return {.api_version = "v1", .synced = true, .missing = false, .trouble = "list x: " + reason, .reason = reason}; }

}  // namespace

TEST_CASE("follow troubles: kinds with one reason make one trouble") {
    struct Row {
        const char* what;
        std::map<Kind, KindState> states;
        std::vector<std::string> want;
    };
    const std::string away = "Failed to connect after 3 ms";
    const Row rows[] = {
        {"all is well", {{Kind::gateway, well()}, {Kind::tls_route, missing()}}, {}},
        {"one kind of several", {{Kind::gateway, well()}, {Kind::secret, troubled("secrets is forbidden")}}, {"follow Secret of S: list x: secrets is forbidden"}},
        {"each kind for a reason of its own",
         {{Kind::gateway, troubled("no gateways")}, {Kind::secret, troubled("no secrets")}},
         {"follow Gateway of S: list x: no gateways", "follow Secret of S: list x: no secrets"}},
        {"the server is away",
         {{Kind::gateway, troubled(away)}, {Kind::http_route, troubled(away)}, {Kind::tls_route, missing()}, {Kind::secret, troubled("Failed to connect after 17 ms")}},
         {"follow S: Failed to connect after 3 ms"}},
        {"it is, but not every kind knows yet",
         {{Kind::gateway, troubled(away)}, {Kind::http_route, well()}, {Kind::secret, troubled(away)}},
         {"follow S: Gateway, Secret: Failed to connect after 3 ms"}},
        {"two reasons of several kinds",
         {{Kind::gateway_class, troubled("busy")}, {Kind::gateway, troubled(away)}, {Kind::http_route, troubled("busy")}, {Kind::grpc_route, troubled(away)}, {Kind::secret, troubled(away)}, {Kind::service, troubled("odd")}},
         {"follow GatewayClass, HTTPRoute of S: busy", "follow S: Gateway, GRPCRoute, Secret: Failed to connect after 3 ms", "follow Service of S: list x: odd"}},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        std::vector<std::string> got;
        for (const Trouble& trouble : follow_troubles(row.states, "S")) {
            got.push_back(trouble.what + ": " + trouble.error.message());
            CHECK(trouble.error.hint == "what was known is served");
        }
        std::vector<std::string> want = row.want;
        std::sort(got.begin(), got.end());
        std::sort(want.begin(), want.end());
        CHECK(got == want);
    }
}
