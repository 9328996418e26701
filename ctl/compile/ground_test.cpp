// SPDX-License-Identifier: Apache-2.0
// What the ground is made of besides objects: another word of it counts though no object has changed.
#include "ctl/compile/ground.hpp"

#include <string>

#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::compile;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

// A Gateway "edge" of a class with this pool; "": without one.
model::Store store_of(const std::string& pool) {
    const std::string parameters = pool.empty() ? "" : R"(, parametersRef: {group: "", kind: ConfigMap, name: pool, namespace: default})";
    const std::string text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: pool}, data: {addresses: \"" + pool + R"("}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: a}, spec: {controllerName: penstock.dev/gateway-controller)" + parameters + R"(}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: edge}, spec: {gatewayClassName: a, listeners: [{name: http, port: 80, protocol: HTTP}]}}
)";
    model::Store store;
    for (const model::ObjectPtr& object : model::parse_manifests(text, "test").objects) {
        store.put(object);
    }
    return store;
}

std::string addresses_of(const Compiled& compiled) {
    std::string out;
    for (const StatusAddress& one : std::get<GatewayStatus>((*compiled.statuses.get(model::ObjectKey{model::Kind::gateway, "default", "edge"}))->body).addresses) {
        out += one.value + " ";
    }
    return out;
}

}  // namespace

TEST_CASE("ground: what is told of a pool's addresses counts, and holds when it is told no more") {
    const model::Store store = store_of("10.0.0.1-10.0.0.3");
    const Compiled first = compile::compile(store, {});
    const std::string had = addresses_of(first);
    const std::string other = had == "10.0.0.1 " ? "10.0.0.2" : "10.0.0.1";
    CHECK(addresses_of(compile::compile(store, {}, &first)) == had);
    const AddressBook told{{"Gateway/default/edge", {ip(other.c_str())}}};
    const Compiled moved = compile::compile(store, {}, &first, &told);
    CHECK(addresses_of(moved) == other + " ");
    CHECK(addresses_of(compile::compile(store, {}, &moved)) == other + " ");
}

TEST_CASE("ground: what other nodes have counts, and no more when they are gone") {
    Options options;
    options.node_addresses = {ip("192.0.2.1")};
    const model::Store store = store_of("");
    const Compiled alone = compile::compile(store, options);
    CHECK(addresses_of(alone) == "192.0.2.1 ");
    const Compiled joined = compile::compile(store, options, &alone, nullptr, {ip("192.0.2.2")});
    CHECK(addresses_of(joined) == "192.0.2.1 192.0.2.2 ");
    CHECK(addresses_of(compile::compile(store, options, &joined)) == "192.0.2.1 ");
}

TEST_CASE("ground: it is made with what it is asked for") {
    Ground ground;
    CHECK(ground.made_with(nullptr, {}));
    const AddressBook none;
    CHECK_FALSE(ground.made_with(&none, {}));
    CHECK_FALSE(ground.made_with(nullptr, {ip("192.0.2.2")}));
    ground.told = none;
    CHECK(ground.made_with(&none, {}));
    CHECK_FALSE(ground.made_with(nullptr, {}));
}
