// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dangling.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::compile;

TEST_CASE("dangling: references to nothing are named, those to others' kinds are not") {
    const std::string text = R"(apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {gatewayClassName: penstock, listeners: [{name: a, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: slip}
spec: {gatewayClassName: penstok, listeners: [{name: a, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop}
spec: {parentRefs: [{name: edge}, {name: egde}, {name: edge, namespace: other}, {name: set, kind: ListenerSet}, {name: mesh, kind: Service, group: ""}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: own}
spec: {parentRef: {name: egde}, listeners: [{name: a, port: 81, protocol: HTTP}]}
)";
    const model::ParseResult parsed = model::parse_manifests(text, "f.yaml");
    REQUIRE_FALSE(parsed.has_errors());
    model::Store store;
    for (const model::ObjectPtr& object : parsed.objects) {
        store.put(object);
    }
    std::vector<std::string> said;
    for (const model::ObjectPtr& object : parsed.objects) {
        for (const model::Diagnostic& one : dangling(*object, store)) {
            CHECK(one.severity == model::Severity::warning);
            said.push_back(one.text());
        }
    }
    CHECK(said == std::vector<std::string>{
                      "f.yaml:11: spec.gatewayClassName: there is no GatewayClass penstok: nobody serves this Gateway",
                      "f.yaml:16: spec.parentRefs[1]: there is no Gateway default/egde: the route is attached to nothing there",
                      "f.yaml:16: spec.parentRefs[2]: there is no Gateway other/edge: the route is attached to nothing there",
                      "f.yaml:16: spec.parentRefs[3]: there is no ListenerSet default/set: the route is attached to nothing there",
                      "f.yaml:21: spec.parentRef: there is no Gateway default/egde: its listeners belong to nobody"});
}
