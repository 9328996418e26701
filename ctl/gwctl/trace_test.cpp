// SPDX-License-Identifier: Apache-2.0
// trace: where requests go by the tables of a few routes that contend for the same host.
#include <nlohmann/json.hpp>

#include "ctl/gwctl/offline.hpp"
#include "ctl/gwctl/testing.hpp"
#include "ctl/gwctl/trace_request.hpp"
#include "userspace/base/base64.hpp"

using namespace penstock;
using namespace penstock::gwctl;
using namespace penstock::gwctl::testing;
using nlohmann::json;

namespace {

constexpr const char* kManifests = R"(
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: penstock}
spec: {controllerName: penstock.dev/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: penstock
  addresses: [{type: IPAddress, value: 192.0.2.10}]
  listeners:
  - {name: http, protocol: HTTP, port: 80}
  - {name: shop, protocol: HTTP, port: 80, hostname: "*.shop.example"}
  - {name: pass, protocol: TLS, port: 443, tls: {mode: Passthrough}}
  - {name: bare, protocol: HTTPS, port: 443, hostname: bare.example, tls: {certificateRefs: [{name: nothing}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: first}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [a.example]
  rules:
  - matches: [{path: {type: Exact, value: /cart}}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /cart}, headers: [{name: X-Version, value: two}]}]
    backendRefs: [{name: web, port: 80, weight: 3}, {name: none, port: 80, weight: 1}]
  - matches: [{path: {value: /cart}, queryParams: [{name: page, value: "1"}]}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /cart}, method: POST}]
    backendRefs: [{name: empty, port: 80}]
  - matches: [{path: {type: RegularExpression, value: /ca.*}}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-By, value: us}]}}]
    backendRefs: [{name: web, port: 80}]
  - matches: [{path: {value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {statusCode: 301, hostname: new.example}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: second}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [a.example, "*.example"]
  rules:
  - matches: [{path: {value: /}}]
    backendRefs: [{name: web, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: answering}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [cors.example]
  rules:
  - matches: [{path: {value: /}, method: PUT}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://a.example"]}}]
    backendRefs: [{name: web, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: preflights}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [any.cors]
  rules:
  - filters: [{type: CORS, cors: {allowOrigins: ["https://a.example", "https://*.b.example"]}}]
    backendRefs: [{name: web, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: preflights-of-puts}
spec:
  parentRefs: [{name: edge, sectionName: http}]
  hostnames: [put.cors]
  rules:
  - matches: [{method: PUT}]
    filters: [{type: CORS, cors: {allowOrigins: ["https://a.example", "https://*.b.example"]}}]
    backendRefs: [{name: web, port: 80}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {name: vault}
spec:
  parentRefs: [{name: edge, sectionName: pass}]
  hostnames: [vault.example]
  rules:
  - backendRefs: [{name: web, port: 80}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty}
spec: {ports: [{name: http, port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: ["198.51.100.1"]}]
)";

json traced(std::vector<std::string> words, int* code = nullptr) {
    const Folder folder;
    words.insert(words.begin(), {"trace", "-o", "json", "-f", folder.write("all.yaml", kManifests)});
    const Ran ran = testing::gwctl(std::move(words));
    INFO(ran.err);
    if (code != nullptr) {
        *code = ran.code;
    }
    return json::parse(ran.out);
}

}  // namespace

TEST_CASE("gwctl trace: which rule serves, and by which step of precedence") {
    struct Row {
        std::vector<std::string> words;
        std::string rule;  // "first#1"; "": none
        std::string decided, answer;
        int code;
    };
    const Row rows[] = {
        {{"http://a.example/cart"}, "first#0", "an exact path", "", 0},
        {{"http://a.example/cart/1", "X-Version: two"}, "first#4", "an expression before a prefix", "", 0},
        {{"http://a.example/x"}, "first#5", "the older route, or the name before it", "", 0},
        {{"http://b.example/x"}, "second#0", "it is the only one that holds", "", 0},
        {{"http://a.example/old/1"}, "first#6", "the longer path", "redirected by the rule's filter", 0},
        {{"http://cors.example/"}, "second#0", "it is the only one that holds", "", 0},
        {{"PUT", "http://cors.example/"}, "answering#0", "the more specific host name", "", 0},
        {{"OPTIONS", "http://other/", "Origin: https://a.example"}, "", "", "no_host", 1},
        {{"http://x.shop.example/"}, "", "", "no_host", 1},
        {{"https://vault.example/"}, "vault#0", "the server name: the listener looks into no request", "", 0},
        {{"https://other.example/"}, "", "", "tls_no_name", 1},
        {{"https://bare.example/"}, "", "", "tls_no_certificate", 1},
        {{"http://vault.example:443/"}, "", "", "the port speaks TLS only: ask with https://", 1},
        {{"https://a.example:80/"}, "", "", "the port speaks no TLS: ask with http://", 1},
    };
    for (const Row& row : rows) {
        INFO(row.words.front() << " " << row.words.back());
        int code = -1;
        const json out = traced(row.words, &code);
        REQUIRE(out["ports"].size() == 1);
        const json& port = out["ports"][0];
        CHECK(code == row.code);
        if (row.rule.empty()) {
            CHECK_FALSE(port.contains("rule"));
        } else {
            CHECK(port["rule"]["route"].get<std::string>().ends_with("/" + row.rule.substr(0, row.rule.find('#'))));
            CHECK(port["rule"]["index"] == std::stoi(row.rule.substr(row.rule.find('#') + 1)));
            CHECK(port["decided_by"] == row.decided);
        }
        const json answer = port.value("answer", json::object());
        CHECK((answer.value("reason", "") == row.answer || answer.value("text", "") == row.answer));
    }
}

TEST_CASE("gwctl trace: each match that the path fits is told, with the condition that fails") {
    const json out = traced({"http://a.example/cart/1?page=2"});
    std::map<std::string, std::string> fails;
    for (const json& one : out["ports"][0]["candidates"]) {
        fails[one["rule"]] = one["fails"];
    }
    CHECK(fails["HTTPRoute default/first#1"] == "header x-version");
    CHECK(fails["HTTPRoute default/first#2"] == "query page");
    CHECK(fails["HTTPRoute default/first#3"] == "method POST");
    CHECK(fails["HTTPRoute default/first#4"].empty());
    CHECK(fails["HTTPRoute default/second#0"].empty());
    CHECK_FALSE(fails.contains("HTTPRoute default/first#0"));  // its path is another one
    CHECK_FALSE(fails.contains("HTTPRoute default/first#6"));
}

TEST_CASE("gwctl trace: a preflight belongs to the rule of the method that it asks for") {
    int code = -1;
    const json out = traced({"OPTIONS", "http://cors.example/", "Origin: https://a.example", "Access-Control-Request-Method: PUT"}, &code);
    // second#0 takes every method, and so the preflight: only what no rule takes is asked for again.
    CHECK(out["ports"][0]["rule"]["route"] == "HTTPRoute default/second");
    CHECK(out["ports"][0]["backends"].size() == 1);  // it has no CORS filter
    CHECK(code == 0);
}

TEST_CASE("gwctl trace: a preflight that a CORS filter answers reaches no backend") {
    const std::string asked = "Access-Control-Request-Method: PUT";
    struct Row {
        std::vector<std::string> words;
        std::size_t backends;
        int status;  // of the worker's own answer; 0: none
        std::string said;
        int code;
    };
    const Row rows[] = {
        {{"OPTIONS", "http://any.cors/", "Origin: https://a.example", asked}, 0, 200, "", 0},
        {{"OPTIONS", "http://put.cors/", "Origin: https://x.b.example", asked}, 0, 200, "", 0},  // no rule takes OPTIONS
        {{"OPTIONS", "http://any.cors/", "Origin: https://c.example", asked}, 0, 403, "cors_origin", 1},
        {{"OPTIONS", "http://any.cors/", "Origin: null", asked}, 0, 403, "cors_origin", 1},
        {{"OPTIONS", "http://any.cors/", "Origin: https://a.example"}, 1, 0, "", 0},
        {{"PUT", "http://any.cors/", "Origin: https://c.example", asked}, 1, 0, "", 0},
        {{"OPTIONS", "http://put.cors/", "Origin: https://a.example"}, 0, 404, "no_route", 1},
    };
    for (const Row& row : rows) {
        INFO(row.words[1] << " " << row.words[2]);
        int code = -1;
        const json out = traced(row.words, &code);
        const json& port = out["ports"][0];
        CHECK(code == row.code);
        CHECK(port.value("backends", json::array()).size() == row.backends);
        const json answer = port.value("answer", json::object());
        CHECK(answer.value("status", 0) == row.status);
        CHECK(answer.value("reason", "") == row.said);
    }
}

TEST_CASE("gwctl trace: text names listener, filters, shares, endpoints and what is answered instead") {
    const Folder folder;
    const std::string file = folder.write("all.yaml", kManifests);
    const Ran served = testing::gwctl({"trace", "http://a.example/x?y=1", "-f", file});
    CHECK(served.code == 0);
    for (const char* part : {"GET http://a.example:80/x?y=1\n", "address     tcp/192.0.2.10:80\n", "listener    Gateway/default/edge/http\n", "->", "prefix /",
                             "decided by  the older route", "rule        HTTPRoute default/first#5\n", "filters     request(set x-by=us)\n", "Service default/web:80", "100%",
                             "198.51.100.1:8080"}) {
        INFO(served.out << part);
        CHECK(served.out.find(part) != std::string::npos);
    }
    const Ran none = testing::gwctl({"trace", "http://a.example:8080/", "-f", file});
    CHECK(none.code == 1);
    CHECK(none.out.find("nothing listens for HTTP on that port") != std::string::npos);
    const Ran wrong = testing::gwctl({"trace", "a.example", "-f", file});
    CHECK(wrong.code == 2);
    CHECK(wrong.err.find("hint: gwctl trace") != std::string::npos);
}

TEST_CASE("gwctl trace: the daemon's tables say the same, damaged ones are an error") {
    const Folder folder;
    auto offline = compile_files({folder.write("all.yaml", kManifests)}, Arguments{});
    REQUIRE(offline.ok());
    json parts = json::object();
    json hosts = json::object();
    for (const auto& [path, part] : offline->compiled.snapshot.parts) {
        parts[path] = base64_of(*part->bytes);
        if (path.starts_with("host/")) {
            hosts[path] = parts[path];
        }
    }
    Daemon daemon;
    daemon.answer("/v1/snapshot", {{"generation", 3}, {"root", base64_of(*offline->compiled.snapshot.root)}, {"parts", parts}});
    const Ran ran = daemon.run({"trace", "http://a.example/cart", "-o", "json"});
    CHECK(ran.code == 0);
    CHECK(json::parse(ran.out) == traced({"http://a.example/cart"}));
    daemon.answer("/v1/snapshot", {{"generation", 0}, {"root", ""}, {"parts", json::object()}});
    CHECK(daemon.run({"trace", "http://a.example/cart"}).code == 1);
    for (const char* root : {"AAAA", "not base64!", "/////w=="}) {
        daemon.answer("/v1/snapshot", {{"generation", 3}, {"root", root}, {"parts", parts}});
        INFO(root);
        CHECK(daemon.run({"trace", "http://a.example/cart"}).code == 3);
    }
    daemon.answer("/v1/snapshot", {{"generation", 3}, {"root", base64_of(*offline->compiled.snapshot.root)}, {"parts", hosts}});
    CHECK(daemon.run({"trace", "http://a.example/cart"}).err.find("the tables lack backends/") != std::string::npos);
}

TEST_CASE("gwctl trace: words to requests") {
    struct Row {
        std::vector<std::string> words;
        std::string read;  // "GET http host port path query"; "": refused
    };
    const Row rows[] = {
        {{"http://Shop.Example"}, "GET http shop.example 80 / "},       {{"PUT", "https://a:8443/x?y=1#z"}, "PUT https a 8443 /x y=1"},
        {{"http://[::1]:8080/a/../b"}, "GET http [::1] 8080 /b "},      {{"http://a?x"}, "GET http a 80 / x"},
        {{"http://a", "X: 1", "x:2"}, "GET http a 80 / "},              {{"ftp://a"}, ""},
        {{"GET"}, ""},                                                   {{"G T", "http://a"}, ""},
        {{"http://a:0/"}, ""},                                           {{"http://a:99999/"}, ""},
        {{"http:///x"}, ""},                                             {{"http://a/../../x"}, ""},
        {{"http://a", "no field"}, ""},                                  {{}, ""},
    };
    for (const Row& row : rows) {
        INFO((row.words.empty() ? "" : row.words.back()));
        const auto request = parse_trace_request(row.words);
        REQUIRE(request.ok() == !row.read.empty());
        if (request.ok()) {
            CHECK(request->method + (request->tls ? " https " : " http ") + request->host + " " + std::to_string(request->port) + " " + request->path + " " + request->query == row.read);
        }
    }
    const auto request = parse_trace_request({"http://a", "X: 1", "x:2"});
    std::string room;
    CHECK(request->fields.value("x", room) == "1, 2");
    CHECK_FALSE(request->fields.value("y", room));
}
