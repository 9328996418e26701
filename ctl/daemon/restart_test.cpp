// SPDX-License-Identifier: Apache-2.0
// A daemon that goes on from what an earlier one of its node kept, in a cluster that went on meanwhile.
#include <algorithm>
#include <atomic>
#include <thread>

#include "ctl/daemon/test_node.hpp"

using namespace penstock;
using namespace penstock::daemon;
using namespace penstock::daemon::testing;

TEST_CASE("restart: a daemon that begins anew leaves the statuses that the one before wrote") {
    constexpr const char* kRoutePath = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/shop";
    test::ApiServer server;
    server.put({{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "node-a"}}}});
    server.put(gateway_class());
    server.put(gateway(80));
    server.put({{"apiVersion", "gateway.networking.k8s.io/v1"},
                {"kind", "HTTPRoute"},
                {"metadata", {{"name", "shop"}, {"namespace", "default"}}},
                {"spec", {{"parentRefs", json::array({{{"name", "edge"}}})}, {"hostnames", json::array({"shop.example"})}}}});
    const auto folder = std::make_shared<test::TestFolder>();
    {
        Node before(server, "node-a", [](FakeMachine&) {}, {}, folder);
        REQUIRE(says(server, "True Programmed of 1"));
        REQUIRE(soon([&] { return server.get(kRoutePath).value("status", json::object()).value("parents", json::array()).size() == 1; }));
    }
    server.forget();
    const std::string told = server.get(kRoutePath).dump();
    Node after(server, "node-a", [](FakeMachine&) {}, {}, folder);
    REQUIRE(soon([&] { return after.writes() && after.knows(1); }));
    // It writes, and not these.
    server.put(gateway(8080));
    REQUIRE(says(server, "True Programmed of 2"));
    CHECK(server.get(kRoutePath).dump() == told);
    CHECK(server.history(kRoutePath).empty());
}

TEST_CASE("restart: a daemon that begins anew does not write what it kept over what another node wrote since") {
    test::ApiServer server;
    server.put(gateway_class());
    server.put(gateway(80));
    const auto folder = std::make_shared<test::TestFolder>();
    {
        Node before(server, "node-a", [](FakeMachine&) {}, {}, folder);
        REQUIRE(says(server, "True Programmed of 1"));
    }
    server.put(gateway(8080));
    json since = server.get(kGatewayPath);
    for (json& condition : since["status"]["conditions"]) {
        condition["observedGeneration"] = 2;
    }
    server.put(since);
    server.forget();
    Node after(server, "node-a", [](FakeMachine& machine) { machine.silent = true; }, {}, folder);
    // Once it is clear that its workers do not take it, whatever else changes meanwhile.
    std::atomic<bool> said{false};
    std::thread others([&] {
        for (int port = 1; !said; ++port) {
            server.put({{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", "other"}, {"namespace", "default"}}}, {"spec", {{"ports", json::array({{{"port", port}}})}}}});
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    });
    const bool pending = says(server, "False Pending of 2");
    said = true;
    others.join();
    CHECK(pending);
    const auto written = server.history(kGatewayPath);
    CHECK(std::none_of(written.begin(), written.end(), [](const json& one) { return one["status"]["conditions"][0]["observedGeneration"] == 1; }));
}
