// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/steer.hpp"

#include <functional>

#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile {
namespace {

// A Gateway with one TCP listener on 192.0.2.10:5432 and a Service with one endpoint.
model::Store store_with_endpoint(const std::string& address) {
    const std::string manifests = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  listeners: [{name: database, port: 5432, protocol: TCP}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: database}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: database, port: 5432}]}]
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {ports: [{port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: database-1, labels: {kubernetes.io/service-name: database}}
addressType: IPv4
ports: [{port: 5432}]
endpoints: [{addresses: [)" + address + R"(]}]
)";
    model::Store store;
    for (const auto& object : model::parse_manifests(manifests, "test.yaml").objects) {
        store.put(object);
    }
    return store;
}

}  // namespace

TEST_CASE("steer: a service with an endpoint on this node's own sockets is the worker's") {
    struct Row {
        const char* endpoint;
        Vip::Target target;
    };
    const Row rows[] = {
        {"10.1.0.1", Vip::Target::service},  // a pod
        {"192.0.2.10", Vip::Target::ours},   // the address that the listener is on
        {"10.0.0.7", Vip::Target::ours},     // another one of this node
        {"127.0.0.1", Vip::Target::ours},
    };
    Options options;
    options.node_addresses = {*IpAddress::parse("192.0.2.10")};
    options.own_addresses = {*IpAddress::parse("10.0.0.7"), *IpAddress::parse("192.0.2.10")};
    for (const Row& row : rows) {
        INFO(row.endpoint);
        const Compiled compiled = compile(store_with_endpoint(row.endpoint), options);
        REQUIRE(compiled.steering.vips.size() == 1);
        CHECK(compiled.steering.vips[0].target == row.target);
        CHECK(compiled.steering.services.size() == (row.target == Vip::Target::service ? 1 : 0));
    }
}

TEST_CASE("steer: addresses of the node that come and go reach steering, and routes are not judged by them") {
    Options options;
    options.node_addresses = {*IpAddress::parse("192.0.2.10")};
    Options other = options;
    other.own_addresses = {*IpAddress::parse("10.1.0.1")};
    CHECK(options.judges_like(other));
    const auto store = store_with_endpoint("10.1.0.1");
    const Compiled first = compile(store, options);
    const Compiled second = compile(store, other, &first);
    const Compiled third = compile(store, options, &second);
    CHECK(first.steering.vips.at(0).target == Vip::Target::service);
    CHECK(second.steering.vips.at(0).target == Vip::Target::ours);
    CHECK(second.steering.services.empty());
    CHECK(third.steering.vips.at(0).target == Vip::Target::service);
    CHECK(third.steering.services.size() == 1);

    const std::vector<std::function<void(Options&)>> judged = {
        [](Options& one) { one.controller_name = "example.com/other"; },
        [](Options& one) { one.node_addresses.clear(); },
        [](Options& one) { one.names_only_own = true; },
        [](Options& one) { one.xdp = !one.xdp; },
        [](Options& one) { one.limits.backends_max += 1; },
        [](Options& one) { one.metrics = Endpoint{one.node_addresses.at(0), 9090}; },
        [](Options& one) { one.ticket_keys.emplace_back(); },
        [](Options& one) { one.session_keys.emplace_back(); },
    };
    for (std::size_t i = 0; i < judged.size(); ++i) {
        INFO(i);
        Options changed = options;
        judged[i](changed);
        CHECK_FALSE(changed.judges_like(options));
    }
}

}  // namespace penstock::compile
