// SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <sstream>

#include "ctl/model/decode.hpp"
#include "ctl/model/store.hpp"
#include "tools/test/catch.hpp"

using namespace penstock::model;

namespace {

const std::string kGateway = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  gatewayClassName: penstock\n";
const std::string kRoute = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n";

const std::string kPolicy = "apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: p}\nspec:\n  validation: {hostname: a.b, wellKnownCACertificates: System}\n";

std::string all_text(const ParseResult& result) {
    std::string text;
    for (const Diagnostic& diagnostic : result.diagnostics) {
        text += diagnostic.text() + "\n";
    }
    return text;
}

}  // namespace

TEST_CASE("manifests: faults are told with file, line and path") {
    struct Row {
        std::string text;
        std::string said;
    };
    const std::string listener = "  listeners:\n  - {name: ok, port: 80, protocol: HTTP}\n";
    const std::vector<Row> rows = {
        {kGateway + listener + "  - name: bad\n    protocol: HTTP\n    port: 70000\n", "f.yaml:10: spec.listeners[1].port: 70000 is not a port"},
        {kGateway + "  listeners: []\n", "f.yaml:6: spec.listeners: must not be empty"},
        {kGateway, "spec.listeners: is missing"},
        {kGateway + "  listeners:\n  - {name: a, port: \"80\", protocol: HTTP}\n", "spec.listeners[0].port: must be a number, is a string"},
        {kGateway + "  listeners:\n  - {name: a, port: 80, protocol: HTTP, hostname: 1.2.3.4}\n", "is not a host name"},
        {kGateway + "  listeners:\n  - {name: a, port: 80, protocol: HTTP}\n  - {name: a, port: 81, protocol: HTTP}\n", "f.yaml:8: spec.listeners[1]: has the same name as listeners[0]"},
        {kGateway + "  listeners:\n  - {name: a, port: 80, protocol: HTTP, tls: {certificateRefs: [{name: x}]}}\n", "must not be set for protocol HTTP"},
        {kGateway + "  listeners:\n  - {name: a, port: 443, protocol: HTTPS, tls: {mode: Passthrough}}\n", "mode must be Terminate"},
        {kGateway + "  listeners:\n  - {name: a, port: 80, protocol: HTTP, filters: [{type: ExtensionRef}]}\n", "spec.listeners[0].filters: must be an object, is a list"},
        {kGateway + listener + "  tls: {frontend: [1], backend: x}\n", "spec.tls.frontend: must be an object, is a list"},
        {kGateway + listener + "  tls: {frontend: {default: {}}, backend: x}\n", "spec.tls.backend: must be an object, is a string"},
        {kGateway + listener + "  allowedListeners: All\n", "spec.allowedListeners: must be an object, is a string"},
        {kRoute + "  rules:\n  - matches:\n    - path: {type: PathPrefix, value: shop}\n", "f.yaml:7: spec.rules[0].matches[0].path.value: must start with '/'"},
        {kRoute + "  rules:\n  - matches:\n    - path: {value: /a//b}\n", "is not a path"},
        {kRoute + "  rules:\n  - filters: [{type: RequestRedirect}]\n", "spec.rules[0].filters[0].requestRedirect: must be set with type RequestRedirect"},
        {kRoute + "  rules:\n  - backendRefs: [{name: s}]\n", "spec.rules[0].backendRefs[0].port: is missing: a Service needs one"},
        {kRoute + "  rules:\n  - backendRefs: [{name: s, port: 80, weight: 2000000}]\n", "is not a weight"},
        {kRoute + "  rules:\n  - timeouts: {request: 1x}\n", "is not a duration"},
        {kRoute + "  rules:\n  - timeouts: {request: 1s, backendRequest: 2s}\n", "backendRequest is longer than request"},
        {kRoute + "  rules: [{name: one}, {name: one}]\n", "spec.rules: two rules have the name one"},
        {kRoute + "  rules:\n  - filters: [{type: RequestRedirect, requestRedirect: {}}, {type: URLRewrite, urlRewrite: {hostname: a.b}}]\n",
         "spec.rules[0].filters: RequestRedirect and URLRewrite exclude each other"},
        {kRoute + "  rules:\n  - filters: [{type: RequestRedirect, requestRedirect: {}}]\n    backendRefs: [{name: s, port: 80}]\n",
         "spec.rules[0].backendRefs: must be empty with a RequestRedirect"},
        {kRoute + "  rules:\n  - filters: [{type: RequestRedirect, requestRedirect: {statusCode: 304}}]\n", "spec.rules[0].filters[0].requestRedirect.statusCode"},
        {kRoute + "  rules:\n  - matches: [{path: {value: /a}}, {path: {value: /b}}]\n    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /c}}}]\n",
         "ReplacePrefixMatch needs exactly one match"},
        {"apiVersion: gateway.networking.k8s.io/v1\nkind: TLSRoute\nmetadata: {name: r}\nspec: {rules: [{backendRefs: [{name: s, port: 443}]}]}\n", "spec.hostnames: is missing"},
        {kRoute + "  rules:\n  - matches: [{path: {type: Exact, value: /a}}]\n    backendRefs: [{name: s, port: 80, filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]}]\n",
         "ReplacePrefixMatch needs exactly one match"},
        {"apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {name: r}\nspec: {rules: [{filters: [{type: URLRewrite, urlRewrite: {hostname: a.b}}]}]}\n",
         "a GRPCRoute has no filter of type URLRewrite"},
        {kRoute + "  rules: [{sessionPersistence: {header: {name: X}}}]\n", "header: must not be set with type Cookie"},
        {kRoute + "  rules: [{sessionPersistence: {cookie: {lifetimeType: Permanent}}}]\n", "absoluteTimeout: must be set with a cookie of lifetimeType Permanent"},
        {kRoute + "  rules: [{sessionPersistence: {cookie: {name: \"a b\"}}}]\n", "is not a name of a cookie or header"},
        {kRoute + "  rules: [{retry: {codes: [500, 500]}}]\n", "spec.rules[0].retry.codes[1]: has the same value as codes[0]"},
        {kRoute + "  rules: [{filters: [{type: CORS, cors: {allowOrigins: [\"https://a.b\", \"*\"]}}]}]\n", "allowOrigins: '*' must stand alone"},
        {kRoute + "  rules: [{filters: [{type: CORS, cors: {allowOrigins: [\"ftp://a.b\"]}}]}]\n", "allowOrigins[0]: \"ftp://a.b\" is not an origin"},
        {kRoute + "  rules: [{filters: [{type: CORS, cors: {allowOrigins: [\"https://a.*.b\"]}}]}]\n", "is not an origin"},
        {kRoute + "  rules: [{filters: [{type: CORS, cors: {allowMethods: [get]}}]}]\n", "allowMethods[0]"},
        {kPolicy + "  targetRefs: [{group: \"\", kind: Service, name: s}, {group: \"\", kind: Service, name: s, sectionName: a}]\n", "every reference to s needs a sectionName"},
        {kPolicy + "  targetRefs: [{group: \"\", kind: Service, name: s}, {group: \"\", kind: Service, name: s}]\n", "has the same target and sectionName as"},
        {"apiVersion: gateway.networking.k8s.io/v1\nkind: BackendTLSPolicy\nmetadata: {name: p}\nspec: {targetRefs: [{group: \"\", kind: Service, name: s}], validation: {hostname: a.b, wellKnownCACertificates: Public}}\n", "neither System nor"},
        {kRoute + "  hostnames: [\"*.\"]\n", "spec.hostnames[0]: \"*.\" is not a host name"},
        {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {tls.key: \"not base64!\"}\n", "data.tls.key: is not base64"},
        {"apiVersion: v1\nkind: Service\nmetadata: {name: S_1}\nspec: {}\n", "metadata.name: \"S_1\" is not a name"},
        {"kind: Service\nmetadata: {name: s}\n", "apiVersion: is missing"},
        {"- a\n- b\n", "must be an object, is a list"},
        {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {}\n", "f.yaml:6: Service default/s stands twice"},
    };
    for (const Row& row : rows) {
        const ParseResult result = parse_manifests(row.text, "f.yaml");
        INFO(row.text << "\nsaid: " << all_text(result));
        CHECK(result.has_errors());
        CHECK(all_text(result).find(row.said) != std::string::npos);
    }
}

TEST_CASE("manifests: all faults of an object are told, but for those that follow from what cannot be read") {
    struct Row {
        std::string text;
        std::vector<std::string> said;
    };
    const std::string http = ", protocol: HTTP}\n";
    const std::vector<Row> rows = {
        {kGateway + "  listeners:\n  - {name: a, port: 80" + http + "  - {name: a, port: 80" + http + "  - {name: c, port: 0" + http + "  - {name: d, port: 90, protocol: TCP, hostname: a.b}\n",
         {"spec.listeners[2].port: 0 is not a port", "spec.listeners[3].hostname: must not be set", "spec.listeners[1]: has the same name as", "spec.listeners[1]: has the same port, protocol and hostname"}},
        {kRoute + "  parentRefs: [{name: e}, {name: e}]\n  rules:\n  - {name: one, backendRefs: [{name: s}], timeouts: {request: 1s, backendRequest: 2s}}\n  - {name: one}\n",
         {"backendRefs[0].port: is missing", "timeouts: backendRequest is longer", "spec.parentRefs", "two rules have the name one"}},
        {kGateway + "  listeners:\n  - {name: 5, port: 80" + http + "  - {name: 6, port: 80" + http, {"listeners[0].name: must be a string", "listeners[1].name: must be a string"}},
        {kGateway + "  listeners:\n  - {port: 80" + http + "  - {port: 80" + http, {"listeners[0].name: is missing", "listeners[1].name: is missing"}},
    };
    for (const Row& row : rows) {
        const ParseResult result = parse_manifests(row.text, "f.yaml");
        INFO(row.text << "\nsaid: " << all_text(result));
        CHECK(result.diagnostics.size() == row.said.size());
        for (const std::string& said : row.said) {
            INFO(said);
            CHECK(all_text(result).find(said) != std::string::npos);
        }
    }
}

TEST_CASE("manifests: a fault that no file has is told without one") {
    Diagnostic fault;
    fault.message = "list /gone: No such file or directory";
    CHECK(fault.text() == fault.message);
}

TEST_CASE("manifests: unknown fields and kinds are warnings, and the object stays") {
    const ParseResult field = parse_manifests(kGateway + "  listener: []\n  listeners:\n  - {name: a, port: 80, protocol: HTTP, hostnam: x}\n", "f.yaml");
    CHECK_FALSE(field.has_errors());
    CHECK(field.objects.size() == 1);
    CHECK(all_text(field).find("f.yaml:6: spec.listener: unknown field, it has no effect; did you mean listeners?") != std::string::npos);
    CHECK(all_text(field).find("did you mean hostname?") != std::string::npos);
    const ParseResult kind = parse_manifests("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n", "f.yaml");
    CHECK_FALSE(kind.has_errors());
    CHECK(kind.diagnostics.size() == 1);
    CHECK(all_text(kind).find("Deployment") != std::string::npos);
}

TEST_CASE("manifests: a broken document does not hide the others, and lists are opened") {
    const ParseResult result = parse_manifests("apiVersion: v1\nkind: Namespace\nmetadata: {name: one}\n---\nkind: [\n---\napiVersion: v1\nkind: List\nitems:\n"
                                               "- {apiVersion: v1, kind: Namespace, metadata: {name: two}}\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}\n", "f.yaml");
    CHECK(result.has_errors());
    REQUIRE(result.objects.size() == 3);
    CHECK(result.objects[1]->key.text() == "Namespace two");
    CHECK(body_of<ConfigMap>(*result.objects[2])->data.at("a") == "b");
    CHECK(result.objects[2]->key.ns == "default");
}

TEST_CASE("manifests: a stray character is a fault, not an endless document") {
    for (const char* text : {",", "]", "}", ", a: b", "a: b\n...\n,\n"}) {
        INFO(text);
        CHECK(parse_manifests(text, "f.yaml").has_errors());
    }
}

TEST_CASE("manifests: defaults are filled as the CRDs do") {
    const ParseResult result = parse_manifests(kRoute + "  parentRefs: [{name: edge}]\n", "f.yaml");
    REQUIRE(result.objects.size() == 1);
    const HttpRoute& route = *body_of<HttpRoute>(*result.objects[0]);
    REQUIRE(route.rules.size() == 1);
    CHECK(route.parent_refs[0].kind == "Gateway");
    CHECK(route.parent_refs[0].group == kGatewayGroup);
    const ParseResult gateway = parse_manifests(kGateway + "  allowedListeners: {namespaces: {}}\n  listeners:\n  - {name: a, port: 80, protocol: HTTP}\n", "f.yaml");
    REQUIRE(gateway.objects.size() == 1);
    CHECK(body_of<Gateway>(*gateway.objects[0])->allowed_listeners.from == "None");
    CHECK(body_of<Gateway>(*gateway.objects[0])->listeners[0].allowed_routes.namespaces.from == "Same");
}

TEST_CASE("manifests: an EndpointSlice of a Service without pods has no endpoints, as an API server gives it") {
    for (const char* endpoints : {"", "endpoints: null\n", "endpoints: []\n", "endpoints:\nports: null\n"}) {
        const ParseResult result = parse_manifests(std::string("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: a-1}\naddressType: IPv4\n") + endpoints, "f.yaml");
        CHECK(result.diagnostics.empty());
        REQUIRE(result.objects.size() == 1);
        CHECK(body_of<EndpointSlice>(*result.objects[0])->endpoints.empty());
    }
}

TEST_CASE("manifests: durations are up to four numbers with their units, in any order (GEP-2257)") {
    struct Row {
        const char* text;
        std::optional<std::uint32_t> ms;
    };
    for (const Row& row : std::initializer_list<Row>{
             {"0s", 0},        {"0h", 0},        {"500ms", 500},    {"1m", 60'000},        {"1h", 3'600'000},   {"1h30m", 5'400'000},
             {"10s5ms", 10'005}, {"1h2m3s4ms", 3'723'004}, {"4ms3s2m1h", 3'723'004}, {"99999ms", 99'999}, {"99999s", 99'999'000},
             {"", {}},         {"1", {}},        {"s", {}},         {"-1s", {}},           {"+1s", {}},         {"1.5s", {}},
             {"1s ", {}},      {"1s1s", 2000}, {"9ms1m3ms", 60'012},     {"1h1m1s1ms1h", {}}, {"100000s", {}},     {"1us", {}},         {"1S", {}},
             {"1d", {}},
         }) {
        INFO("\"" << row.text << "\"");
        const ParseResult result = parse_manifests(kRoute + "  rules: [{timeouts: {request: \"" + row.text + "\"}}]\n", "f.yaml");
        CHECK(result.has_errors() == !row.ms.has_value());
        if (row.ms && result.objects.size() == 1) {
            CHECK(body_of<HttpRoute>(*result.objects[0])->rules[0].timeouts.request_ms == row.ms);
        }
    }
}

TEST_CASE("manifests: what an API server admits is read, whatever compile says of it: else nobody would tell its owner") {
    const std::string selector = "namespaces: {from: Selector, selector: {matchExpressions: [{key: \"a b\", operator: in}, {key: a, operator: Exists, values: [b]}]}}";
    const std::string auth = "{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: s, port: 80}}}";
    const std::vector<std::string> texts = {
        kGateway + "  listeners:\n  - {name: a, port: 80, protocol: HTTP, allowedRoutes: {" + selector + "}}\n  allowedListeners: {" + selector + "}\n",
        kGateway + "  listeners:\n  - {name: a, port: 80, protocol: HTTP}\n  addresses: [{type: Hostname, value: 10.0.0.1}]\n",
        kRoute + "  rules: [{sessionPersistence: {type: Header}}, {sessionPersistence: {type: Header, sessionName: a, cookieConfig: {}}}, {sessionPersistence: {sessionName: \"([\"}}]\n",
        kRoute + "  rules: [{sessionPersistence: {absoluteTimeout: 1ms36s6h1s, cookie: {path: \" \"}}}]\n",
        kRoute + "  rules: [{filters: [" + auth + ", " + auth + "], backendRefs: [{name: s, port: 80, filters: [" + auth + ", " + auth + "]}]}]\n",
    };
    for (const std::string& text : texts) {
        const ParseResult result = parse_manifests(text, "f.yaml");
        INFO(text << "\nsaid: " << all_text(result));
        CHECK(result.diagnostics.empty());
        CHECK(result.objects.size() == 1);
    }
}

TEST_CASE("manifests: all served versions decode into one struct, JSON too") {
    for (const char* version : {"v1", "v1beta1", "v1alpha2"}) {
        const ParseResult result = parse_manifests(std::string("{\"apiVersion\":\"gateway.networking.k8s.io/") + version +
                                                       "\",\"kind\":\"TCPRoute\",\"metadata\":{\"name\":\"t\"},\"spec\":{\"rules\":[{\"backendRefs\":[{\"name\":\"s\",\"port\":1}]}]}}", "f.json");
        INFO(all_text(result));
        REQUIRE(result.objects.size() == 1);
        CHECK(result.objects[0]->key.kind == Kind::tcp_route);
    }
    const ParseResult set = parse_manifests("apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XListenerSet\nmetadata: {name: s}\nspec:\n  parentRef: {name: g}\n"
                                            "  listeners: [{name: a, port: 80, protocol: HTTP}]\n", "f.yaml");
    INFO(all_text(set));
    REQUIRE(set.objects.size() == 1);
    CHECK(set.objects[0]->key.kind == Kind::listener_set);
}

TEST_CASE("manifests: no diagnostic and no printed object shows a secret") {
    const std::string text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: '{\"data\":\"aHVzaA==\"}'\n"
                             "data: {key: aHVzaA==}\nstringData: {other: hush}\n";
    const ParseResult result = parse_manifests(text, "f.yaml");
    REQUIRE(result.objects.size() == 1);
    CHECK(body_of<Secret>(*result.objects[0])->data.at("key") == "hush");
    CHECK(body_of<Secret>(*result.objects[0])->data.at("other") == "hush");
    const std::string shown = result.objects[0]->raw.metadata + result.objects[0]->raw.rest + all_text(result);
    CHECK(shown.find("hush") == std::string::npos);
    CHECK(shown.find("aHVzaA") == std::string::npos);
}

TEST_CASE("manifests: the quickstart is valid, every kind of it known") {
    std::ifstream file("../../configs/quickstart.yaml");
    std::stringstream text;
    text << file.rdbuf();
    const ParseResult result = parse_manifests(text.str(), "quickstart.yaml");
    INFO(all_text(result));
    CHECK(result.diagnostics.empty());
    CHECK(result.objects.size() == 22);
}

TEST_CASE("store: sorted, by kind and namespace, and a copy stays as it was") {
    Store store;
    auto put = [&](Kind kind, const char* ns, const char* name) {
        auto object = std::make_shared<Object>();
        object->key = {kind, ns, name};
        store.put(object);
    };
    put(Kind::service, "b", "x");
    put(Kind::service, "a", "y");
    put(Kind::gateway, "a", "g");
    const Store before = store;
    put(Kind::service, "a", "x");
    CHECK(before.size() == 3);
    CHECK(store.size() == 4);
    std::string names;
    for (const auto& [key, object] : store.of_kind(Kind::service)) {
        names += key.ns + "/" + key.name + " ";
    }
    CHECK(names == "a/x a/y b/x ");
    CHECK(store.of_kind(Kind::service, "b").begin()->first.name == "x");
    CHECK(store.of_kind(Kind::secret).empty());
    CHECK(store.erase({Kind::service, "b", "x"}));
    CHECK_FALSE(store.erase({Kind::service, "b", "x"}));
    CHECK(store.get(Kind::service, "a", "y") != nullptr);
    CHECK(store.get(Kind::service, "b", "x") == nullptr);
}
