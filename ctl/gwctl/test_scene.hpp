// SPDX-License-Identifier: Apache-2.0
// For tests of analysis: objects that are well, to be broken, and what is found in them as lines.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/gwctl/analysis.hpp"
#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"
#include "tools/test/certificate.hpp"

namespace penstock::gwctl::testing {

inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What is well: a class, a Gateway, a route, its Service, an endpoint.
inline constexpr const char* kGood = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: penstock
  addresses: [{value: 192.0.2.7}]
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules: [{backendRefs: [{name: cart, port: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: cart-1, namespace: shop, labels: {kubernetes.io/service-name: cart}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.0.0.1]}]
)";

inline Scene scene_of(const std::string& text) {
    Scene scene{.watched = false, .now_s = 1'800'000'000};
    const auto parsed = model::parse_manifests(text, "test.yaml");
    for (const auto& diagnostic : parsed.diagnostics) {
        UNSCOPED_INFO(diagnostic.text());
    }
    REQUIRE_FALSE(parsed.has_errors());
    for (const auto& object : parsed.objects) {
        auto copy = std::make_shared<model::Object>(*object);
        copy->meta.generation = 1;
        scene.store.put(std::move(copy));
    }
    const compile::Options options;
    const compile::Compiled compiled = compile::compile(scene.store, options);
    for (const auto& [key, status] : compiled.statuses) {
        scene.statuses[key] = compile::to_json(*status, options.controller_name);
    }
    return scene;
}

inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

inline std::string lines(const std::vector<Finding>& findings) {
    std::string out;
    for (const Finding& one : findings) {
        out += std::string(one.code) + " " + std::string(name_of(one.weight)) + " " + one.object.text() + ": " + one.path + ": " + one.message + "\n";
    }
    return out;
}

// A Secret with a certificate for shop.example that holds for 60 days from now on.
inline std::string tls_secret() {
    const test::Pair pair = test::issue({.name = "", .names = "DNS:shop.example", .valid_seconds = 60L * 86400});
    const nlohmann::json secret = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "tls"}, {"namespace", "shop"}}}, {"type", "kubernetes.io/tls"},
                         {"stringData", {{"tls.crt", pair.chain}, {"tls.key", pair.key}}}};
    return "---\n" + secret.dump() + "\n";
}

}  // namespace penstock::gwctl::testing
