// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/edge.hpp"

#include <algorithm>

#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile {

TEST_CASE("edge: keys of tickets and sessions are named in the root in their order, and travel with the other keys") {
    Options options;
    options.ticket_keys = {{"tickets/2", std::make_shared<const Secret>(std::string(80, 'b'))}, {"tickets/1", std::make_shared<const Secret>(std::string(80, 'a'))}};
    options.session_keys = {{"sessions/1", std::make_shared<const Secret>(std::string(32, 'c'))}};
    const Compiled compiled = compile({}, options);
    const fb::Root& root = *fb::GetRoot(compiled.snapshot.root->data());
    REQUIRE(root.ticket_keys() != nullptr);
    REQUIRE(root.ticket_keys()->size() == 2);
    CHECK(root.ticket_keys()->Get(0)->str() == "tickets/2");
    CHECK(root.ticket_keys()->Get(1)->str() == "tickets/1");
    CHECK(compiled.snapshot.keys.at("tickets/1")->reveal() == std::string(80, 'a'));
    REQUIRE(root.session_keys() != nullptr);
    CHECK(root.session_keys()->Get(0)->str() == "sessions/1");
    CHECK(compiled.snapshot.keys.at("sessions/1")->reveal() == std::string(32, 'c'));

    std::swap(options.ticket_keys[0], options.ticket_keys[1]);
    CHECK(compile({}, options, &compiled).snapshot.root != compiled.snapshot.root);
}

TEST_CASE("edge: the oldest class speaks for it also while its pool cannot be read, unless another is good") {
    const std::string broken = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: a, annotations: {penstock.dev/access-log: json}}
spec: {controllerName: penstock.dev/gateway-controller, parametersRef: {group: "", kind: ConfigMap, name: gone, namespace: edge}}
)";
    const std::string good = R"(---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: b}
spec: {controllerName: penstock.dev/gateway-controller}
)";
    for (const auto& [text, logs] : {std::pair(broken, true), {broken + good, false}}) {
        model::Store store;
        for (const model::ObjectPtr& object : model::parse_manifests(text, "test").objects) {
            store.put(object);
        }
        const Compiled compiled = compile(store, {});
        CHECK((fb::GetRoot(compiled.snapshot.root->data())->access_log() != nullptr) == logs);
    }
}

TEST_CASE("edge: a class tells that the Service of its spans is not there, as it comes and goes") {
    const auto put = [](model::Store& store, const std::string& text) {
        for (const model::ObjectPtr& object : model::parse_manifests(text, "test").objects) {
            store.put(object);
        }
    };
    model::Store store;
    put(store, R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: a, annotations: {penstock.dev/tracing-service: "default/collector:4318"}}
spec: {controllerName: penstock.dev/gateway-controller}
)");
    Compiled now = compile(store, {});
    const auto told = [&] {
        const auto& status = std::get<ClassStatus>((*now.statuses.get(model::ObjectKey{model::Kind::gateway_class, "", "a"}))->body);
        return std::any_of(status.conditions.begin(), status.conditions.end(), [](const Condition& one) { return one.message.find("tracing-service: ") != std::string::npos; });
    };
    CHECK(told());
    put(store, "{apiVersion: v1, kind: Service, metadata: {name: collector}, spec: {ports: [{port: 4318}]}}");
    now = compile(store, {}, &now);
    CHECK_FALSE(told());
    now = compile(store, {}, &now);
    CHECK_FALSE(told());
    store.erase({model::Kind::service, "default", "collector"});
    now = compile(store, {}, &now);
    CHECK(told());
}

}  // namespace penstock::compile
