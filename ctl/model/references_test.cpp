// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/references.hpp"

#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

using namespace penstock::model;

namespace {

constexpr const char* kObjects = R"(apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {gatewayClassName: penstock, listeners: [{name: a, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {name: more, namespace: shop}
spec: {parentRef: {name: edge}, listeners: [{name: b, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert, namespace: keys}]}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec:
  parentRefs: [{name: edge}, {name: more, kind: ListenerSet, sectionName: b}]
  rules:
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: copy, port: 80}}}]
    backendRefs: [{name: cart, namespace: other, port: 80, weight: 3}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: raw, namespace: shop}
spec: {parentRefs: [{name: edge, port: 5000}], rules: [{backendRefs: [{name: raw, port: 5000}]}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: inside, namespace: shop}
spec: {targetRefs: [{group: "", kind: Service, name: cart}], validation: {hostname: cart, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]}}
)";

std::string text_of_all(const std::vector<Reference>& references) {
    std::string out;
    for (const Reference& one : references) {
        out += one.path + "=" + text_of(one) + " ";
    }
    return out;
}

}  // namespace

TEST_CASE("references: all of an object, and those to what it belongs to") {
    const ParseResult read = parse_manifests(kObjects, "file");
    struct Row {
        const char* all;
        const char* owners;
    };
    const Row rows[] = {
        {"spec.gatewayClassName=GatewayClass penstock spec.listeners[0].tls.certificateRefs[0]=Secret shop/cert ", "spec.gatewayClassName=GatewayClass penstock "},
        {"spec.parentRef=Gateway shop/edge spec.listeners[0].tls.certificateRefs[0]=Secret keys/cert ", "spec.parentRef=Gateway shop/edge "},
        {"spec.parentRefs[0]=Gateway shop/edge spec.parentRefs[1]=ListenerSet shop/more spec.rules[0].backendRefs[0]=Service other/cart "
         "spec.rules[0].filters[0].requestMirror.backendRef=Service shop/copy ",
         "spec.parentRefs[0]=Gateway shop/edge spec.parentRefs[1]=ListenerSet shop/more "},
        {"spec.parentRefs[0]=Gateway shop/edge spec.rules[0].backendRefs[0]=Service shop/raw ", "spec.parentRefs[0]=Gateway shop/edge "},
        {"spec.targetRefs[0]=Service shop/cart spec.validation.caCertificateRefs[0]=ConfigMap shop/ca ", ""},
    };
    REQUIRE(read.objects.size() == std::size(rows));
    for (std::size_t i = 0; i < std::size(rows); ++i) {
        CHECK(text_of_all(references_of(*read.objects[i])) == rows[i].all);
        CHECK(text_of_all(owners_of(*read.objects[i])) == rows[i].owners);
    }
}
