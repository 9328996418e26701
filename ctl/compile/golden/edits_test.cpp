// SPDX-License-Identifier: Apache-2.0
// A compilation that goes on from the one before gives, byte for byte, what one from nothing gives with the same numbers and pairs. The edits are
// random: objects of all cases come, replace each other (many have the same name) and go, one or a few at a time.
#include <algorithm>
#include <filesystem>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "ctl/compile/dump.hpp"
#include "ctl/compile/golden/case.hpp"
#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"

namespace penstock::compile::golden {
namespace {

constexpr int kRounds = 150;

std::vector<model::ObjectPtr> objects_of_all_cases() {
    std::vector<model::ObjectPtr> objects;
    for (const auto& entry : std::filesystem::directory_iterator("cases")) {
        const std::string file = entry.path().filename().string();
        const std::string suffix = ".in.yaml";
        if (file.ends_with(suffix)) {
            const auto read = read_case("cases", file.substr(0, file.size() - suffix.size()));
            REQUIRE(read.ok());
            for (const auto& [key, object] : read->store) {
                objects.push_back(object);
            }
        }
    }
    std::sort(objects.begin(), objects.end(), [](const auto& one, const auto& other) {
        return std::tie(one->key, one->meta.creation_s, one->origin.file) < std::tie(other->key, other->meta.creation_s, other->origin.file);
    });
    return objects;
}

std::string text_of(const Snapshot& snapshot) {
    std::string text = *snapshot.root;
    for (const auto& [path, part] : snapshot.parts) {
        text += "\n" + path + " " + snapshot::hex(part->digest) + " " + part->object.kind + "/" + part->object.namespace_ + "/" + part->object.name;
    }
    for (const auto& [path, list] : snapshot.lists) {
        text += "\n" + list->name();
    }
    for (const auto& [name, key] : snapshot.keys) {
        text += "\nkey " + name;
    }
    return text;
}

void check_same(const Compiled& edited, const Compiled& fresh) {
    CHECK(dump(edited) == dump(fresh));
    CHECK((text_of(edited.snapshot) == text_of(fresh.snapshot)));
    CHECK((edited.steering == fresh.steering));
    CHECK((edited.addresses == fresh.addresses));
    CHECK(encode(edited.ids) == encode(fresh.ids));
    REQUIRE(std::equal(edited.statuses.begin(), edited.statuses.end(), fresh.statuses.begin(), fresh.statuses.end(),
                       [](const auto& one, const auto& other) { return one.first == other.first && *one.second == *other.second; }));
}

// What changed must be another object, what did not the same one: others go by that.
void check_shared(const Compiled& before, const Compiled& now) {
    CHECK((*before.snapshot.root == *now.snapshot.root) == (before.snapshot.root == now.snapshot.root));
    Lists::diff(before.snapshot.lists, now.snapshot.lists, [&](const auto* old, const auto* list) {
        CHECK(!(old != nullptr && list != nullptr && old->second->digest == list->second->digest));
    });
    Parts::diff(before.snapshot.parts, now.snapshot.parts, [&](const auto* old, const auto* part) {
        const bool replaced = old != nullptr && part != nullptr;
        const auto same_owner = [](const snapshot::ObjectRefT& one, const snapshot::ObjectRefT& other) {
            return one.kind == other.kind && one.namespace_ == other.namespace_ && one.name == other.name;
        };
        CHECK(!(replaced && old->second->digest == part->second->digest && same_owner(old->second->object, part->second->object)));
    });
    Statuses::diff(before.statuses, now.statuses, [&](const auto* old, const auto* status) { CHECK(!(old != nullptr && status != nullptr && *old->second == *status->second)); });
}

bool is_ground(const model::Object& object) { return object.key.kind == model::Kind::gateway_class || object.key.kind == model::Kind::gateway; }

// Puts and erases objects of the pool, at random. The first round puts so many; with `lasting` all of them, and classes and Gateways are never erased.
void edit_at_random(const std::vector<model::ObjectPtr>& pool, unsigned first_edits, bool lasting = false) {
    const auto seed = std::random_device()();
    CAPTURE(seed);
    std::mt19937 random(seed);
    Options options;
    options.node_addresses = {IpAddress::v4(0xC0000201)};
    std::optional<AddressBook> told;
    std::set<IpAddress> others;
    model::Store store;
    Compiled now;
    for (int round = 0; round < kRounds; ++round) {
        CAPTURE(round);
        if (lasting && round == 0) {
            std::for_each(pool.begin(), pool.end(), [&](const model::ObjectPtr& object) { store.put(object); });
        }
        // The first round fills the store; some change much, most one object.
        const unsigned edits = round == 0 ? first_edits : random() % 10 == 0 ? 20 : 1;
        for (unsigned i = 0; i < edits; ++i) {
            const model::ObjectPtr& object = pool[random() % pool.size()];
            if (random() % 3 == 0 && round != 0 && !(lasting && is_ground(*object))) {
                store.erase(object->key);
            } else {
                store.put(object);
            }
        }
        if (random() % 30 == 0) {
            options.xdp = !options.xdp;
        }
        // What those say who speak for all nodes, and what other nodes have.
        if (random() % 20 == 0) {
            told = told ? std::nullopt : now.ids.addresses != nullptr ? std::optional(*now.ids.addresses) : std::nullopt;
        }
        if (random() % 20 == 0) {
            others = others.empty() ? std::set{IpAddress::v4(0xC0000202)} : std::set<IpAddress>();
        }
        Compiled numbers;
        numbers.ids = now.ids;
        numbers.pairs = now.pairs;
        const AddressBook* book = told ? &*told : nullptr;
        const Compiled fresh = compile(store, options, &numbers, book, others);
        Compiled next = compile(store, options, &now, book, others);
        check_same(next, fresh);
        if (round != 0) {
            check_shared(now, next);
        } else if (lasting) {
            REQUIRE(next.snapshot.parts.get(snapshot::part_path(snapshot::PartKind::Backends, "crowd/a/80/http1/tls")) != nullptr);
        }
        now = std::move(next);
    }
}

// Many routes on few host names that lead to few Services, some of them twice or as mirrors, and to Services whose port goes by another name at times,
// which a policy for that name then covers or not. One of the Gateway's three listeners is of TCP, where the oldest route serves.
std::vector<model::ObjectPtr> crowded_hosts() {
    std::vector<model::Diagnostic> diagnostics;
    std::vector<model::ObjectPtr> objects;
    const auto add = [&](const std::string& api, const std::string& kind, const std::string& name, const std::string& spec) {
        model::Store one;
        load(one, "apiVersion: " + api + "\nkind: " + kind + "\nmetadata: {name: " + name + ", namespace: crowd}\n" + spec + "\n", "crowd.yaml", diagnostics);
        for (const auto& [key, object] : one) {
            objects.push_back(object);
        }
    };
    const std::string gateway_api = "gateway.networking.k8s.io/v1";
    add(gateway_api, "GatewayClass", "penstock", "spec: {controllerName: penstock.dev/gateway-controller}");
    for (const char* allowed : {"Same", "All"}) {  // the shape is the same
        add(gateway_api, "Gateway", "edge", std::string("spec: {gatewayClassName: penstock, addresses: [{value: 192.0.2.1}], listeners: [") +
            "{name: http, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: " + allowed + "}}}, {name: narrow, protocol: HTTP, port: 81, hostname: \"*.example.com\"}, " +
            "{name: tcp, protocol: TCP, port: 82}]}");
    }
    for (const std::string service : {"a", "b", "c"}) {
        for (const std::string port : {"plain", "plain", "secret", "secret"}) {
            add("v1", "Service", service, "spec: {ports: [{name: " + port + ", port: 80}]}");
        }
        add("discovery.k8s.io/v1", "EndpointSlice", service + ", labels: {kubernetes.io/service-name: " + service + "}", "addressType: IPv4\nports: [{name: plain, port: 8080}, {name: secret, port: 8443}]\nendpoints: [{addresses: [10.0.0.1]}]");
    }
    for (const auto& object : objects_of_all_cases()) {
        if (object->key.kind == model::Kind::config_map && object->key.name == "good") {
            auto moved = *object;
            moved.key.ns = "crowd";
            objects.push_back(std::make_shared<const model::Object>(std::move(moved)));
        }
    }
    for (const char* authorities : {"absent", "good"}) {  // without them it is refused
        add(gateway_api, "BackendTLSPolicy", "other", std::string("spec: {targetRefs: [{group: '', kind: Service, name: b}], validation: {hostname: b.example.com, caCertificateRefs: [{group: '', kind: ConfigMap, name: ") +
            authorities + "}]}}");
    }
    for (int often = 0; often < 4; ++often) {
        add(gateway_api, "BackendTLSPolicy", "policy",
            "spec: {targetRefs: [{group: '', kind: Service, name: a, sectionName: secret}], validation: {hostname: a.example.com, wellKnownCACertificates: System}}");
    }
    const std::vector<std::string> backends = {"{name: a, port: 80}", "{name: b, port: 80}, {name: a, port: 80, weight: 3}", "{name: c, port: 80}, {name: c, port: 80}",
                                               "{name: absent, port: 80}", ""};
    const std::vector<std::string> hosts = {"[one.example.com]", "[one.example.com, two.example.com]", "[\"*.example.com\", one.example.com]", "[]"};
    for (int route = 0; route < 12; ++route) {
        for (std::size_t variant = 0; variant < 6; ++variant) {
            const std::size_t pick = static_cast<std::size_t>(route) + variant;
            const std::string mirror = pick % 3 != 0 ? "" : "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}], ";
            const std::string rule = "{matches: [{path: {value: /" + std::to_string(pick % 4) + "}}], " + mirror + "backendRefs: [" + backends[pick % backends.size()] + "]}";
            add(gateway_api, "HTTPRoute", "r" + std::to_string(route),
                "spec: {parentRefs: [{name: edge}], hostnames: " + hosts[(pick + variant) % hosts.size()] + ", rules: [" + rule + (variant % 2 == 0 ? "" : ", " + rule) + "]}");
        }
    }
    for (int route = 0; route < 3; ++route) {
        for (const char* service : {"a", "b"}) {
            add("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "t" + std::to_string(route),
                std::string("spec: {parentRefs: [{name: edge, sectionName: tcp}], rules: [{backendRefs: [{name: ") + service + ", port: 80}]}]}");
        }
    }
    for (const auto& diagnostic : diagnostics) {
        UNSCOPED_INFO(diagnostic.message);
    }
    REQUIRE(diagnostics.empty());
    return objects;
}

}  // namespace

TEST_CASE("edits: many random ones give what a compilation from nothing gives") { edit_at_random(objects_of_all_cases(), 400); }

TEST_CASE("edits: random ones of many routes on few hosts give what a compilation from nothing gives") { edit_at_random(crowded_hosts(), 0, true); }

}  // namespace penstock::compile::golden
