// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/analysis.hpp"

#include <ctime>
#include <set>

#include "ctl/gwctl/test_scene.hpp"

using namespace penstock;
using namespace penstock::gwctl;
using namespace penstock::gwctl::testing;
using json = nlohmann::json;

namespace {

std::string analyzed(const std::string& text) { return lines(analyze(scene_of(text))); }

struct Row {
    const char* from;
    const char* to;
    const char* want;  // all that is found
};

}  // namespace

TEST_CASE("analysis: of what is well there is nothing to say") { CHECK(analyzed(kGood).empty()); }

TEST_CASE("analysis: each fault is told once, where it stands, with what comes of it") {
    const Row rows[] = {
        {"gatewayClassName: penstock", "gatewayClassName: other", "GW001 error Gateway shop/edge: spec.gatewayClassName: there is no GatewayClass other: nobody serves this Gateway\n"},
        {"parentRefs: [{name: edge}]", "parentRefs: [{name: none}]",
         "RT001 error HTTPRoute shop/cart: spec.parentRefs[0]: there is no Gateway shop/none: it is attached to nothing there\n"
         "LS001 warning Gateway shop/edge: listener http: no route is attached: it answers nobody\n"},
        {"parentRefs: [{name: edge}]", "parentRefs: [{name: edge, sectionName: https}]",
         "RT002 error HTTPRoute shop/cart: spec.parentRefs[0]: Gateway shop/edge has no listener named https\n"
         "LS001 warning Gateway shop/edge: listener http: no route is attached: it answers nobody\n"},
        {"parentRefs: [{name: edge}]", "parentRefs: []",
         "LS001 warning Gateway shop/edge: listener http: no route is attached: it answers nobody\n"
         "RT003 warning HTTPRoute shop/cart: spec.parentRefs: it names no parent: it is attached to nothing\n"},
        {"backendRefs: [{name: cart, port: 80}]", "backendRefs: [{name: none, port: 80}]",
         "BE001 error HTTPRoute shop/cart: spec.rules[0].backendRefs[0]: there is no Service shop/none: requests and connections that would go there fail\n"},
        {"backendRefs: [{name: cart, port: 80}]", "backendRefs: [{name: cart, port: 81}]", "BE002 error HTTPRoute shop/cart: spec.rules[0].backendRefs[0].port: Service shop/cart has no port 81\n"},
        {"backendRefs: [{name: cart, port: 80}]", "backendRefs: [{name: cart, namespace: other, port: 80}]",
         "BE004 error HTTPRoute shop/cart: spec.rules[0].backendRefs[0]: no ReferenceGrant lets it refer to Service other/cart\n"},
        {"backendRefs: [{name: cart, port: 80}]", "backendRefs: [{name: cart, port: 80, weight: 0}]",
         "BE005 warning HTTPRoute shop/cart: spec.rules[0]: all of its backends have the weight 0: what it matches fails\n"},
        {"endpoints: [{addresses: [10.0.0.1]}]", "endpoints: []", "BE003 warning Service shop/cart: : it has no endpoint, and HTTPRoute shop/cart leads there\n"},
        {"endpoints: [{addresses: [10.0.0.1]}]", "endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}}]",
         "BE003 warning Service shop/cart: : none of its 1 endpoints is ready, and HTTPRoute shop/cart leads there\n"},
        {"listeners: [{name: http, port: 80, protocol: HTTP}]",
         "listeners: [{name: http, port: 80, protocol: HTTP}, {name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}]",
         "TLS001 error Gateway shop/edge: spec.listeners[1].tls.certificateRefs[0]: there is no Secret shop/none: the listener or backend connection cannot be made\n"},
        {"protocol: HTTP}", "protocol: HTTP, allowedRoutes: {kinds: [{kind: GRPCRoute}]}}",
         "LS001 warning Gateway shop/edge: listener http: no route is attached: it answers nobody\n"},
    };
    for (const Row& row : rows) {
        INFO(row.to);
        const std::string found = analyzed(replaced(kGood, row.from, row.to));
        INFO(found);
        // What compile adds for the Gateway as a whole is told, too; the fault itself but once.
        std::string rest = found;
        for (std::size_t at = rest.find("ST001"); at != std::string::npos; at = rest.find("ST001")) {
            rest.erase(at, rest.find('\n', at) + 1 - at);
        }
        CHECK(rest == row.want);
        CHECK_FALSE(has(found, "BackendNotFound"));
        CHECK_FALSE(has(found, "RefNotPermitted"));
        CHECK_FALSE(has(found, "InvalidCertificateRef"));
    }
}

TEST_CASE("analysis: policies and grants that do nothing") {
    const std::string policy = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n  targetRefs: [{group: '', kind: Service, name: NAME}]\n"
                               "  validation: {wellKnownCACertificates: System, hostname: a.example}\n";
    CHECK(has(analyzed(kGood + replaced(policy, "NAME", "none")), "PL001 error BackendTLSPolicy shop/p: spec.targetRefs[0]: there is no Service shop/none: the policy does nothing for it\n"));
    CHECK(has(analyzed(kGood + replaced(policy, "NAME", "idle") + "---\napiVersion: v1\nkind: Service\nmetadata: {name: idle, namespace: shop}\nspec: {ports: [{port: 80}]}\n"),
              "PL002 warning BackendTLSPolicy shop/p: spec.targetRefs[0]: no route leads to Service shop/idle: the policy does nothing\n"));
    const std::string grant = "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g, namespace: other}\nspec:\n"
                              "  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]\n  to: [{group: '', kind: Service}]\n"
                              "---\napiVersion: v1\nkind: Service\nmetadata: {name: cart, namespace: other}\nspec: {ports: [{port: 80}]}\n"
                              "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: x, namespace: other, labels: {kubernetes.io/service-name: cart}}\naddressType: IPv4\n"
                              "ports: [{port: 8080}]\nendpoints: [{addresses: [10.0.0.2]}]\n";
    CHECK(analyzed(kGood + grant) == "RG001 note ReferenceGrant other/g: : nothing refers to what it grants\n");
    CHECK(analyzed(replaced(kGood, "{name: cart, port: 80}", "{name: cart, namespace: other, port: 80}") + grant).empty());
}

TEST_CASE("analysis: conditions that nothing explains, a late status, silence, and what could not be looked at") {
    Scene scene = scene_of(kGood);
    const model::ObjectKey gateway{model::Kind::gateway, "shop", "edge"};
    scene.watched = true;
    CHECK(lines(analyze(scene)).empty());
    scene.statuses[gateway]["conditions"] = {{{"type", "Programmed"}, {"status", "False"}, {"reason", "AddressNotUsable"}, {"message", "it is taken"}, {"observedGeneration", 1}},
                                             {{"type", "Foreign"}, {"status", "False"}, {"reason", "X"}, {"observedGeneration", 1}}};
    CHECK(lines(analyze(scene)) == "ST001 error Gateway shop/edge: : Programmed=False, AddressNotUsable: it is taken\n");
    const json status = scene.statuses[gateway];
    scene.statuses[gateway]["listeners"][0]["conditions"] = {{{"type", "Programmed"}, {"status", "False"}, {"reason", "Invalid"}, {"message", "the Gateway is not served"}, {"observedGeneration", 1}}};
    CHECK(lines(analyze(scene)) == "ST001 error Gateway shop/edge: : Programmed=False, AddressNotUsable: it is taken\n");  // of the listener it only follows
    scene.statuses[gateway] = status;
    scene.statuses[{model::Kind::service, "shop", "cart"}] = {{"loadBalancer", json::object()}};
    scene.statuses[gateway]["conditions"] = {{{"type", "Programmed"}, {"status", "True"}, {"observedGeneration", 0}}};
    CHECK(has(lines(analyze(scene)), "GW003 warning Gateway shop/edge: status: the status is of a generation before this one (1)\n"));
    scene.statuses[gateway] = {{"conditions", {{{"type", "Programmed"}, {"status", "Unknown"}, {"reason", "Pending"}}}}};
    CHECK_FALSE(has(lines(analyze(scene)), "Service"));
    CHECK(has(lines(analyze(scene)), "GW002 warning Gateway shop/edge: : nobody has said anything of it\n"));

    Scene blind = scene_of(replaced(replaced(kGood, "name: cart, port: 80", "name: none, port: 80"), "protocol: HTTP}", "protocol: HTTPS, tls: {certificateRefs: [{name: none}]}}"));
    blind.unseen = {model::Kind::service, model::Kind::secret, model::Kind::endpoint_slice};
    blind.statuses.clear();
    CHECK(lines(analyze(blind)).empty());
    blind = scene_of(replaced(kGood, "parentRefs: [{name: edge}]", "parentRefs: []"));
    blind.unseen = {model::Kind::tls_route};
    CHECK(has(lines(analyze(blind)), "LS001 note Gateway shop/edge: listener http: no route that can be seen is attached\n"));
    blind = scene_of(replaced(kGood, "name: cart, port: 80", "name: none, port: 80"));
    blind.whole = false;  // files: what is not there may be elsewhere
    CHECK(has(lines(analyze(blind)), "BE001 warning HTTPRoute shop/cart: spec.rules[0].backendRefs[0]: Service shop/none is not in these files: "));
}

TEST_CASE("analysis: a Service with external IPs comes with the Gateway and routes that replace it, and they are accepted") {
    const std::string service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: edge, namespace: shop}\nspec:\n  externalIPs: [198.51.100.7, '2001:db8::7']\n  ports:\n"
                                "  - {name: dns, port: 53, protocol: UDP}\n  - {name: dns-tcp, port: 53, protocol: TCP}\n  - {name: http-admin, port: 8080}\n  - {name: sig, port: 9, protocol: SCTP}\n"
                                "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: edge-1, namespace: shop, labels: {kubernetes.io/service-name: edge}}\naddressType: IPv4\n"
                                "ports: [{name: dns, port: 5353, protocol: UDP}, {name: dns-tcp, port: 5353}, {name: http-admin, port: 8080}]\nendpoints: [{addresses: [10.0.0.9]}]\n";
    const auto findings = analyze(scene_of(kGood + service));
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].code == "SV001");
    CHECK(findings[0].weight == Weight::warning);
    CHECK(has(findings[0].message, "198.51.100.7, 2001:db8::7"));
    CHECK(has(findings[0].message, "CVE-2020-8554"));
    for (const char* part : {"name: edge-external\n", "gatewayClassName: penstock", "value: \"198.51.100.7\"", "kind: UDPRoute", "kind: TCPRoute", "kind: HTTPRoute", "name: edge-udp-53", "port: 8080"}) {
        INFO(part);
        CHECK(has(findings[0].manifest, part));
    }
    CHECK_FALSE(has(findings[0].manifest, "port: 9\n"));
    CHECK(findings[0].hint == "apply the Gateway below, then take spec.externalIPs out of the Service; no route can take 9/SCTP: that is left out");
    const auto partly = analyze(scene_of(kGood + service + "---\n" + findings[0].manifest));
    REQUIRE(partly.size() == 1);
    CHECK(partly[0].hint == "Gateway shop/edge-external listens there already: take spec.externalIPs out of the Service; no route can take 9/SCTP: that is left out");
    const std::string plain = replaced(service, "  - {name: sig, port: 9, protocol: SCTP}\n", "");
    const auto rest = analyze(scene_of(kGood + plain + "---\n" + findings[0].manifest));
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].hint == "Gateway shop/edge-external listens there already: take spec.externalIPs out of the Service");
    CHECK(rest[0].manifest.empty());
    CHECK(analyze(scene_of(kGood + replaced(plain, "externalIPs: [198.51.100.7, '2001:db8::7']", "type: ClusterIP") + "---\n" + findings[0].manifest)).empty());
}

TEST_CASE("analysis: what replaces external IPs overwrites nobody's Gateway or route") {
    const std::string service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: NAME, namespace: shop}\nspec:\n  externalIPs: [198.51.100.7]\n  ports: [{name: http, port: 80PORTS}]\n";
    const std::string taken = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: NAME, namespace: shop}\nspec: {parentRefs: [{name: edge}]}\n";
    struct Row {
        const char* service;
        const char* more;   // ports
        const char* route;  // that is there
        const char* want;   // the name of the HTTPRoute
    };
    const Row rows[] = {
        {"web", "", "other", "web"},
        {"web", "", "web", "web-external"},
        {"web", ", protocol: TCP}, {name: dns, port: 53, protocol: UDP", "web", "web-http-80"},
        {"web", ", protocol: TCP}, {name: dns, port: 53, protocol: UDP", "web-http-80", "web-http-80-external"},
    };
    for (const Row& row : rows) {
        INFO(row.service << " beside " << row.route);
        const Scene scene = scene_of(kGood + replaced(replaced(service, "NAME", row.service), "PORTS", row.more) + replaced(taken, "NAME", row.route));
        std::string manifest;
        for (const Finding& one : analyze(scene)) {
            manifest += one.manifest;
        }
        const auto parsed = model::parse_manifests(manifest, "");
        CHECK_FALSE(parsed.has_errors());
        std::string name;
        for (const auto& object : parsed.objects) {
            CHECK(scene.store.get(object->key) == nullptr);
            name = object->key.kind == model::Kind::http_route ? object->key.name : name;
        }
        CHECK(name == row.want);
    }
    // Services whose names meet.
    const std::string two_ports = replaced(replaced(service, "NAME", "web"), "PORTS", ", protocol: TCP}, {name: dns, port: 53, protocol: UDP");
    std::set<model::ObjectKey> told;
    for (const Finding& one : analyze(scene_of(kGood + two_ports + replaced(replaced(service, "NAME", "web-http-80"), "PORTS", "")))) {
        for (const auto& object : model::parse_manifests(one.manifest, "").objects) {
            INFO(object->key.text());
            CHECK(told.insert(object->key).second);
        }
    }
    CHECK(told.contains({model::Kind::http_route, "shop", "web-http-80-external"}));
    const std::string sctp = "---\napiVersion: v1\nkind: Service\nmetadata: {name: sig, namespace: shop}\nspec:\n  externalIPs: [192.0.2.7]\n  ports: [{port: 9, protocol: SCTP}]\n";
    const auto findings = analyze(scene_of(kGood + sctp));  // a Gateway of this address replaces none of it
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].hint == "no route can take its ports: they are neither TCP nor UDP");
}

TEST_CASE("analysis: Services that share an external IP are given one Gateway, not one each") {
    const std::string service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: NAME, namespace: NS}\nspec:\n  externalIPs: [198.51.100.7]\n  ports: [{name: http, port: PORT}]\n";
    const auto one = [&](const char* name, const char* ns, const char* port) { return replaced(replaced(replaced(service, "NAME", name), "NS", ns), "PORT", port); };
    const auto findings = analyze(scene_of(kGood + one("a", "shop", "80") + one("b", "shop", "81") + one("c", "more", "81")));
    REQUIRE(findings.size() == 3);
    const auto of = [&](const char* name) { return *std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.object.name == name; }); };
    // In the order of their namespaces.
    CHECK(of("c").hint == "apply the Gateway below, then take spec.externalIPs out of the Service");
    CHECK(has(of("c").manifest, "kind: Gateway\n"));
    CHECK(of("a").hint == "Gateway more/c, proposed for another Service, has the address: give it a listener http-80 at 80/TCP, apply the routes below, then take spec.externalIPs out of the Service; its allowedRoutes must admit the namespace shop");
    CHECK_FALSE(has(of("a").manifest, "kind: Gateway\n"));
    CHECK(of("b").weight == Weight::warning);  // it is a proposal that has its port
    CHECK(of("b").hint == "Gateway more/c, proposed for another Service, has the address: apply the routes below, then take spec.externalIPs out of the Service; its allowedRoutes must admit the namespace shop");
}

TEST_CASE("analysis: what replaces external IPs has a class whose pool has them, and goes to the Gateway that has them") {
    const std::string service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: NS}\nspec:\n  externalIPs: [IP]\n  ports: [{name: http, port: PORT}]\n";
    const std::string classes = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: pool, namespace: shop}\ndata: {addresses: 198.51.100.0/24}\n"
                                "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: with-pool}\nspec:\n  controllerName: penstock.dev/gateway-controller\n"
                                "  parametersRef: {group: '', kind: ConfigMap, name: pool, namespace: shop}\n";
    const auto found = [&](const std::string& base, const char* ns, const char* ip, const char* port) {
        std::vector<Finding> all = analyze(scene_of(base + replaced(replaced(replaced(service, "NS", ns), "[IP]", "[" + std::string(ip) + "]"), "PORT", port)));
        std::erase_if(all, [](const Finding& one) { return one.code != "SV001"; });
        REQUIRE(all.size() == 1);
        return all.front();
    };
    CHECK(has(found(kGood + classes, "shop", "198.51.100.9", "80").manifest, "gatewayClassName: with-pool\n"));
    CHECK(has(found(kGood + classes, "shop", "203.0.113.9", "80").manifest, "gatewayClassName: penstock\n"));
    const Finding nowhere = found(replaced(kGood + classes, "name: penstock}\nspec: {controllerName: penstock.dev", "name: penstock}\nspec: {controllerName: other.dev"), "shop", "203.0.113.9", "80");
    CHECK(nowhere.hint == "apply the Gateway below, then take spec.externalIPs out of the Service; no GatewayClass of Penstock's has the address in its pool: "
                          "put it into that of GatewayClass with-pool first, ConfigMap shop/pool");

    // kGood's Gateway has this address, with HTTP at 80.
    const Finding same = found(kGood, "shop", "192.0.2.7", "80");
    CHECK(same.weight == Weight::error);
    CHECK(has(same.message, "; Gateway shop/edge listens on the same address and port"));
    CHECK(same.hint == "Gateway shop/edge has the address: apply the routes below, then take spec.externalIPs out of the Service");
    CHECK_FALSE(has(same.manifest, "kind: Gateway\n"));
    CHECK(has(same.manifest, "sectionName: http\n"));
    CHECK(found(kGood + ("---\n" + same.manifest), "shop", "192.0.2.7", "80").hint == "Gateway shop/edge listens there already: take spec.externalIPs out of the Service");
    const Finding beside = found(kGood, "other", "192.0.2.7", "81");
    CHECK(beside.weight == Weight::warning);
    CHECK(beside.hint == "Gateway shop/edge has the address: give it a listener http-81 at 81/TCP, apply the routes below, then take spec.externalIPs out of the Service; its allowedRoutes must admit the namespace other");
    CHECK(has(beside.manifest, "namespace: shop\n"));
    // An address that it was given and did not ask for.
    Scene scene = scene_of(replaced(kGood, "  addresses: [{value: 192.0.2.7}]\n", "") + replaced(replaced(replaced(service, "NS", "shop"), "[IP]", "[192.0.2.9]"), "PORT", "80"));
    scene.statuses[{model::Kind::gateway, "shop", "edge"}]["addresses"] = {{{"type", "IPAddress"}, {"value", "192.0.2.9"}}};
    CHECK(has(lines(analyze(scene)), "SV001 error Service shop/web"));
}

TEST_CASE("analysis: certificates that expire, have expired, hold for other names, or cannot be read") {
    const std::string text = replaced(kGood, "protocol: HTTP}", "protocol: HTTPS, hostname: shop.example, tls: {certificateRefs: [{name: tls}]}}") + tls_secret();
    const std::int64_t now = ::time(nullptr);
    Scene scene = scene_of(text);
    struct Row {
        std::int64_t days;
        const char* says;
    };
    for (const Row& row : {Row{1, ""}, Row{29, ""}, Row{31, "TLS003 warning Gateway shop/edge: spec.listeners[0].tls.certificateRefs[0]: Secret shop/tls: its certificate expires at "},
                           Row{61, "TLS002 error Gateway shop/edge: spec.listeners[0].tls.certificateRefs[0]: Secret shop/tls: its certificate expired at "},
                           Row{-1, "TLS002 error Gateway shop/edge: spec.listeners[0].tls.certificateRefs[0]: Secret shop/tls: its certificate is not valid before "}}) {
        INFO(row.days);
        scene.now_s = now + row.days * 86400;
        const std::string found = lines(analyze(scene));
        CHECK(has(found, row.says));
        CHECK(found.empty() == (*row.says == '\0'));
    }
    Scene other = scene_of(replaced(text, "hostname: shop.example", "hostname: '*.shop.example'"));
    other.now_s = now + 60;
    CHECK(lines(analyze(other)) == "TLS004 warning Gateway shop/edge: spec.listeners[0].tls.certificateRefs[0]: Secret shop/tls: its certificate does not hold for *.shop.example\n");
    Scene broken = scene_of(replaced(text, "-----BEGIN CERTIFICATE-----", "-----BEGIN NOTHING-----"));
    CHECK(has(lines(analyze(broken)), "TLS002 error Gateway shop/edge: spec.listeners[0].tls.certificateRefs[0]: Secret shop/tls: the certificate "));
}

TEST_CASE("analysis: an expired certificate of a bundle is a warning: others may vouch") {
    const std::string bundle = replaced(tls_secret(), "---\n", "");
    json map = json::parse(bundle);
    map = {{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "ca"}, {"namespace", "shop"}}}, {"data", {{"ca.crt", map["stringData"]["tls.crt"]}}}};
    Scene scene = scene_of(std::string(kGood) + "---\n" + map.dump() +
                           "\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: p, namespace: shop}\nspec:\n  targetRefs: [{group: '', kind: Service, name: cart}]\n"
                           "  validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: ca}], hostname: a.example}\n");
    scene.now_s = ::time(nullptr) + 61L * 86400;
    const auto findings = analyze(scene);
    INFO(lines(findings));
    REQUIRE(findings.size() == 1);
    CHECK(has(lines(findings), "TLS002 warning BackendTLSPolicy shop/p: spec.validation.caCertificateRefs[0]: ConfigMap shop/ca: one of its certificates expired at "));
    CHECK(findings[0].hint == "it vouches for nobody: take it out of the bundle, or put its successor in");
}
