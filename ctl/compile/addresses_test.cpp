// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/addresses.hpp"

#include "ctl/compile/compile.hpp"
#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::compile;

namespace {

// A class with a pool, and Gateways: "name" or "name address".
model::Store store_of(const std::string& pool, const std::vector<std::string>& gateways) {
    std::string text = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: pool}
spec: {controllerName: penstock.dev/gateway-controller, parametersRef: {group: "", kind: ConfigMap, name: pool, namespace: edge}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pool, namespace: edge}
data: {addresses: ")" + pool + "\"}\n";
    for (const std::string& one : gateways) {
        const std::size_t space = std::min(one.find(' '), one.size());
        text += "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: " + one.substr(0, space) + "}\nspec:\n  gatewayClassName: pool\n";
        text += space == one.size() ? "" : "  addresses: [{value: " + one.substr(space + 1) + "}]\n";
        text += "  listeners: [{name: http, port: 80, protocol: HTTP}]\n";
    }
    model::Store store;
    for (const model::ObjectPtr& object : model::parse_manifests(text, "test").objects) {
        store.put(object);
    }
    return store;
}

// "a=10.0.0.1 b=- ": who has which, in order of names; "-" with the reason's name if it has none.
std::string who(const Compiled& compiled) {
    std::string out;
    for (const auto& [key, status] : compiled.statuses) {
        const auto* gateway = std::get_if<GatewayStatus>(&status->body);
        if (gateway == nullptr) {
            continue;
        }
        out += key.name + "=";
        for (const StatusAddress& address : gateway->addresses) {
            out += address.value + ",";
        }
        for (const Condition& condition : gateway->conditions) {
            out += condition.type_name() == "Programmed" && !condition.holds() ? std::string(condition.reason_name()) : "";
        }
        out += " ";
    }
    return out;
}

}  // namespace

TEST_CASE("addresses: a Gateway keeps what its pool gave it, whoever comes and goes") {
    const Compiled first = compile::compile(store_of("10.0.0.1-10.0.0.3", {"b", "c"}), {});
    const std::string held = who(first);
    const Compiled more = compile::compile(store_of("10.0.0.1-10.0.0.3", {"a", "b", "c", "d"}), {}, &first);
    CHECK(who(more).find(held.substr(0, held.size() - 1)) != std::string::npos);
    CHECK(who(more).find("a=10.0.0.") == 0);
    CHECK(who(more).find("d=AddressNotAssigned ") != std::string::npos);
    const Compiled fewer = compile::compile(store_of("10.0.0.1-10.0.0.3", {"c", "d"}), {}, &more);
    CHECK(who(fewer).find(held.substr(held.find("c="))) == 0);
    CHECK(who(fewer).find("d=10.0.0.") != std::string::npos);
}

TEST_CASE("addresses: what is told for all nodes goes before what was given here, as far as the pool and what is asked for go") {
    const auto ip = [](const char* text) { return *IpAddress::parse(text); };
    const Compiled first = compile::compile(store_of("10.0.0.1-10.0.0.3", {"a", "b"}), {});
    struct Row {
        AddressBook told;
        std::vector<std::string> gateways;
        const char* want;
    };
    const Row rows[] = {
        {{{"Gateway/default/a", {ip("10.0.0.3")}}, {"Gateway/default/b", {ip("10.0.0.1")}}}, {"a", "b"}, "a=10.0.0.3, b=10.0.0.1, "},
        {{{"Gateway/default/a", {ip("10.0.0.3")}}, {"Gateway/default/b", {ip("10.0.0.2")}}}, {"a", "b", "c 10.0.0.1"}, "a=10.0.0.3, b=10.0.0.2, c=10.0.0.1, "},
        {{{"Gateway/default/a", {ip("10.9.9.9")}}}, {"a 10.0.0.2"}, "a=10.0.0.2, "},
        {{{"Gateway/default/a", {ip("10.0.0.2")}}, {"Gateway/default/b", {ip("10.0.0.2"), ip("10.0.0.3")}}}, {"a", "b"}, "a=10.0.0.2, b=10.0.0.3, "},
        {{{"Gateway/default/gone", {ip("10.0.0.2")}}, {"Gateway/default/b", {ip("10.0.0.1")}}}, {"b"}, "b=10.0.0.1, "},
    };
    for (const Row& row : rows) {
        const Compiled next = compile::compile(store_of("10.0.0.1-10.0.0.3", row.gateways), {}, &first, &row.told);
        CHECK(who(next) == row.want);
        CHECK(who(compile::compile(store_of("10.0.0.1-10.0.0.3", row.gateways), {}, &next)) == row.want);
    }
    const AddressBook outside{{"Gateway/default/a", {ip("10.9.9.9")}}};
    CHECK(who(compile::compile(store_of("10.0.0.1-10.0.0.3", {"a", "b"}), {}, &first, &outside)) == who(first));
}

TEST_CASE("addresses: one that is given is not taken by who asks for it later, and one that is asked for is not given") {
    const Compiled first = compile::compile(store_of("10.0.0.1", {"given"}), {});
    CHECK(who(first) == "given=10.0.0.1, ");
    CHECK(who(compile::compile(store_of("10.0.0.1", {"asks 10.0.0.1", "given"}), {}, &first)) == "asks=AddressNotUsable given=10.0.0.1, ");
    CHECK(who(compile::compile(store_of("10.0.0.1", {"any", "asks 10.0.0.1"}), {})) == "any=AddressNotAssigned asks=10.0.0.1, ");
}

TEST_CASE("addresses: what was given outlives a restart, and a pool that lost it gives another one") {
    const Compiled first = compile::compile(store_of("10.0.0.1-10.0.0.200", {"a", "b"}), {});
    Compiled restarted;
    auto ids = decode_ids(encode(first.ids));
    REQUIRE(ids.ok());
    restarted.ids = std::move(ids).value();
    CHECK(*restarted.ids.addresses == *first.ids.addresses);
    CHECK(who(compile::compile(store_of("10.0.0.1-10.0.0.200", {"0", "a", "b"}), {}, &restarted)).find(who(first)) != std::string::npos);
    CHECK(who(compile::compile(store_of("10.0.1.1", {"a"}), {}, &first)) == "a=10.0.1.1, ");
}
