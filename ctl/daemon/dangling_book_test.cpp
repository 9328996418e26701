// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/dangling_book.hpp"

#include <fmt/format.h>

#include <random>

#include "ctl/model/decode.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;

namespace {

model::ObjectPtr object(const std::string& text) {
    const auto parsed = model::parse_manifests(text, "a.yaml");
    REQUIRE(parsed.objects.size() == 1);
    return parsed.objects.front();
}

model::ObjectPtr route(const std::string& name, const std::string& gateway) {
    return object(fmt::format("apiVersion: gateway.networking.k8s.io/v1\nkind: TCPRoute\nmetadata: {{name: {}}}\nspec:\n  parentRefs: [{{name: {}}}]\n"
                              "  rules: [{{backendRefs: [{{name: s, port: 1}}]}}]\n", name, gateway));
}

std::string names(const DanglingBook& book) {
    std::string out;
    for (const auto& [key, told] : book.all()) {
        out += key.name + " ";
    }
    return out;
}

// With what is said of each.
std::string texts(const DanglingBook& book) {
    std::string out;
    for (const auto& [key, told] : book.all()) {
        for (const auto& one : told) {
            out += key.text() + ": " + one.text() + "\n";
        }
    }
    return out;
}

}  // namespace

TEST_CASE("dangling book: routes are told while their Gateway is not there") {
    DanglingBook book;
    model::Store store;
    const auto change = [&](const auto& edit) {
        const model::Store before = store;
        edit();
        book.update(before, store, [](const model::ObjectKey& key) { return key.name != "never"; });
        return names(book);
    };
    CHECK(change([&] { store.put(route("a", "edge")); }) == "a ");
    CHECK(change([&] { store.put(route("b", "edge")); }) == "a b ");
    CHECK(change([&] { store.put(route("never", "edge")); }) == "a b ");
    const auto gateway = object("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  gatewayClassName: none\n"
                                "  listeners: [{name: x, port: 1, protocol: TCP}]\n");
    CHECK(change([&] { store.put(gateway); }) == "edge ");
    CHECK(change([&] { store.put(route("c", "other")); }) == "edge c ");
    CHECK(change([&] { store.put(route("c", "edge")); }) == "edge ");
    CHECK(change([&] { store.erase(gateway->key); }) == "a b c ");
    CHECK(change([&] { store.erase({model::Kind::tcp_route, "default", "b"}); }) == "a c ");
}

TEST_CASE("dangling book: many random edits give what a look at all gives") {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto all_count = [](const model::ObjectKey&) { return true; };
    const auto gateway = [&](int number) {
        return object(fmt::format("apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: g{}}}\nspec:\n  gatewayClassName: c{}\n"
                                  "  listeners: [{{name: x, port: 1, protocol: TCP}}]\n", number, random() % 2));
    };
    const auto gateway_class = object("apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: c0}\nspec: {controllerName: a.example/b}\n");
    DanglingBook book;
    model::Store store;
    for (int round = 0; round < 300; ++round) {
        const model::Store before = store;
        for (auto i = random() % 3 + 1; i != 0; --i) {
            const auto one = random() % 8 == 0 ? gateway_class : random() % 4 == 0 ? gateway(static_cast<int>(random() % 3)) : route(fmt::format("r{}", random() % 12), fmt::format("g{}", random() % 4));
            random() % 3 == 0 ? (void)store.erase(one->key) : store.put(one);
        }
        book.update(before, store, all_count);
        DanglingBook anew;
        anew.update({}, store, all_count);
        CAPTURE(round);
        REQUIRE(texts(book) == texts(anew));
    }
}
