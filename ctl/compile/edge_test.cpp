// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/edge.hpp"

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

}  // namespace penstock::compile
