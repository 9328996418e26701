// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/analysis.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>

#include "ctl/gwctl/scene.hpp"
#include "ctl/gwctl/testing.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/value_text.hpp"
#include "tools/test/api_server.hpp"

using namespace penstock;
using namespace penstock::gwctl;
using namespace penstock::gwctl::testing;
using json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// What is well: a class, a Gateway, a route, its Service, an endpoint.
constexpr const char* kGood = R"(
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

Scene scene_of(const std::string& text) {
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

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string lines(const std::vector<Finding>& findings) {
    std::string out;
    for (const Finding& one : findings) {
        out += std::string(one.code) + " " + std::string(name_of(one.weight)) + " " + one.object.text() + ": " + one.path + ": " + one.message + "\n";
    }
    return out;
}

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
    blind.unseen.clear();
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
    const std::string plain = replaced(service, "  - {name: sig, port: 9, protocol: SCTP}\n", "");
    const auto rest = analyze(scene_of(kGood + plain + "---\n" + findings[0].manifest));
    REQUIRE(rest.size() == 1);
    CHECK(rest[0].hint == "Gateway shop/edge-external listens there already: take spec.externalIPs out of the Service");
    CHECK(rest[0].manifest.empty());
    CHECK(analyze(scene_of(kGood + replaced(plain, "externalIPs: [198.51.100.7, '2001:db8::7']", "type: ClusterIP") + "---\n" + findings[0].manifest)).empty());
}

namespace {

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(size));
    BIO_free_all(bio);
    return text;
}

// A Secret with a certificate for shop.example that holds for 60 days from now on.
std::string tls_secret() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 60L * 86400);
    X509_set_pubkey(cert, key);
    X509_EXTENSION* names = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:shop.example");
    X509_add_ext(cert, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(cert, key, EVP_sha256());
    BIO* cert_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(cert_bio, cert);
    BIO* key_bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
    X509_free(cert);
    EVP_PKEY_free(key);
    const json secret = {{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "tls"}, {"namespace", "shop"}}}, {"type", "kubernetes.io/tls"},
                         {"stringData", {{"tls.crt", text_of(cert_bio)}, {"tls.key", text_of(key_bio)}}}};
    return "---\n" + secret.dump() + "\n";
}

}  // namespace

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

namespace {

// The documents as an API server has them, each with the status that Penstock would give it.
void fill(test::ApiServer& server, const std::string& text) {
    const Scene scene = scene_of(text);
    for (const auto& [key, object] : scene.store) {
        json one = json(model::to_json(object->raw));
        const auto status = scene.statuses.find(key);
        if (status != scene.statuses.end()) {
            one["status"] = status->second;
        }
        server.put(std::move(one));
    }
}

}  // namespace

TEST_CASE("gwctl analyze on a cluster: findings on stdout, what could not be looked at on stderr, and the verdict") {
    test::ApiServer server;
    fill(server, replaced(kGood, "{name: cart, port: 80}", "{name: none, port: 80}"));
    server.put({{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", "dns"}, {"namespace", "other"}}}, {"spec", {{"externalIPs", {"198.51.100.7"}}, {"ports", {{{"port", 53}, {"protocol", "UDP"}}}}}}});
    const std::vector<std::string> words = {"analyze", "--server", server.url()};
    const auto with = [&](std::vector<std::string> more) {
        more.insert(more.begin(), words.begin(), words.end());
        return testing::gwctl(std::move(more));
    };
    const Ran ran = with({});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 1);
    CHECK(has(ran.out, "error    BE001   HTTPRoute shop/cart: spec.rules[0].backendRefs[0]: there is no Service shop/none: requests and connections that would go there fail\n"));
    CHECK(has(ran.out, "warning  SV001   Service other/dns: spec.externalIPs: "));
    CHECK(has(ran.out, "---\n# In place of spec.externalIPs of Service other/dns\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\n"));
    CHECK(ran.err == "1 error, 1 warning, 0 notes in the API server at " + server.url() + "\n");
    const Ran other = with({"-n", "other"});
    CHECK(other.code == 0);
    CHECK_FALSE(has(other.out, "BE001"));
    CHECK(with({"-n", "other", "--fail-on", "warning"}).code == 1);
    const json document = json::parse(with({"-o", "json"}).out);
    CHECK(document["findings"][0]["object"] == json({{"kind", "HTTPRoute"}, {"namespace", "shop"}, {"name", "cart"}}));
    CHECK(has(document["findings"][1]["manifest"], "kind: UDPRoute"));
    server.hide("tcproutes", true);
    server.fail("/api/v1/services", 403, 1);
    const Ran partly = with({});
    CHECK(has(partly.err, "note: services are not looked at: list services in all namespaces: made to fail\n"));
    CHECK(has(partly.err, "has no kind TCPRoute"));
    CHECK_FALSE(has(partly.out, "BE001"));
    server.fail("/", 403, 1000);
    CHECK(with({}).code == 3);
}

TEST_CASE("gwctl analyze -f: files alone, or what they would make of a cluster") {
    test::ApiServer server;
    fill(server, replaced(kGood, "{name: cart, port: 80}", "{name: none, port: 80}"));
    const Folder folder;
    const std::string service = folder.write("service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: none, namespace: shop}\nspec: {ports: [{port: 80}]}\n");
    const std::string route = folder.write("route.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: cart, namespace: shop}\nspec: {parentRefs: [{name: gone}], rules: []}\n");
    const Ran plan = testing::gwctl({"analyze", "-f", service, "--server", server.url()});
    INFO(plan.out + plan.err);
    CHECK(plan.code == 0);  // a warning
    CHECK(has(plan.out, "creates  Service shop/none\n\nsolves\nerror    BE001   HTTPRoute shop/cart"));
    CHECK(has(plan.out, "introduces\nwarning  BE003   Service shop/none: it has no endpoint"));
    const Ran worse = testing::gwctl({"analyze", "-f", route, "--server", server.url()});
    CHECK(worse.code == 1);
    CHECK(has(worse.out, "replaces HTTPRoute shop/cart\n"));
    CHECK(has(worse.out, "introduces\nerror    RT001   HTTPRoute shop/cart: spec.parentRefs[0]: there is no Gateway shop/gone"));
    const Ran alone = testing::gwctl({"analyze", "-f", route});
    CHECK(alone.code == 0);
    CHECK(has(alone.out, "warning  RT001   HTTPRoute shop/cart: spec.parentRefs[0]: Gateway shop/gone is not in these files"));
    CHECK(has(alone.err, "0 errors, 1 warning, 0 notes in these files\n"));
    CHECK(json::parse(testing::gwctl({"analyze", "-f", service, "--server", server.url(), "-o", "json"}).out)["creates"][0]["name"] == "none");
    CHECK(testing::gwctl({"analyze", "-f", folder.write("bad.yaml", "kind: [\n")}).code == 1);
}

TEST_CASE("gwctl analyze on a daemon: of Secrets, which it shows without content, their being there counts") {
    Daemon daemon;
    const std::string text = replaced(kGood, "protocol: HTTP}", "protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}") + tls_secret();
    const Scene scene = scene_of(text);
    json items = json::array();
    for (const auto& [key, object] : scene.store) {
        items.push_back(json(model::to_json(object->raw)));
        items.back()["metadata"]["generation"] = 1;
        const auto status = scene.statuses.find(key);
        if (status != scene.statuses.end()) {
            items.back()["status"] = status->second;
        }
    }
    daemon.answer("/v1/objects", {{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}});
    const Ran ran = daemon.run({"analyze"});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out.empty());
}
