// SPDX-License-Identifier: Apache-2.0
// analyze as a user runs it: on a cluster, on a daemon, on files, and what files would make of a place.
#include "ctl/gwctl/scene.hpp"

#include "ctl/gwctl/test_scene.hpp"
#include "ctl/gwctl/testing.hpp"
#include "ctl/model/value_text.hpp"
#include "tools/test/api_server.hpp"

using namespace penstock;
using namespace penstock::gwctl;
using namespace penstock::gwctl::testing;
using json = nlohmann::json;

namespace {

// The documents as an API server has them, each with the status that Penstock would give it.
void fill(test::ApiServer& server, const std::string& text) {
    const Scene scene = scene_of(text);
    for (const auto& [key, object] : scene.store) {
        json one = json(model::to_json(model::value_of(object->raw)));
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
    INFO(partly.err);
    CHECK(has(partly.err, "note: not looked at: services (list services in all namespaces: made to fail)\n"));
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

namespace {

// A daemon that has the documents, each Secret without its content.
void fill(Daemon& daemon, const std::string& text) {
    const Scene scene = scene_of(text);
    json items = json::array();
    for (const auto& [key, object] : scene.store) {
        items.push_back(json(model::to_json(model::value_of(object->raw))));
        items.back()["metadata"]["generation"] = 1;
        const auto status = scene.statuses.find(key);
        if (status != scene.statuses.end()) {
            items.back()["status"] = status->second;
        }
    }
    daemon.answer("/v1/objects", {{"apiVersion", "v1"}, {"kind", "List"}, {"items", items}});
}

std::string https_gateway(const std::string& secret) {
    return "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: second, namespace: shop}\nspec:\n  gatewayClassName: penstock\n  addresses: [{value: 192.0.2.8}]\n"
           "  listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: " + secret + "}]}}]\n"
           "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: second, namespace: shop}\nspec: {parentRefs: [{name: second}], rules: [{backendRefs: [{name: cart, port: 80}]}]}\n";
}

}  // namespace

TEST_CASE("gwctl analyze on a daemon: of Secrets, which it shows without content, their being there counts") {
    Daemon daemon;
    fill(daemon, replaced(kGood, "protocol: HTTP}", "protocol: HTTPS, tls: {certificateRefs: [{name: tls}]}}") + tls_secret());
    const Ran ran = daemon.run({"analyze"});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 0);
    CHECK(ran.out.empty());
}

TEST_CASE("gwctl analyze -f: what hangs on Secrets that are not shown, or may not be listed, gets no errors of our making") {
    Daemon daemon;
    fill(daemon, kGood + tls_secret());
    test::ApiServer server;
    fill(server, kGood + tls_secret());
    const Folder folder;
    struct Row {
        std::string files;
        const char* denied;  // by the cluster
        const char* says;    // the error in what can be seen; "" if all is well
    };
    const Row rows[] = {
        {https_gateway("tls"), "", ""},
        {https_gateway("tls"), "/api/v1/secrets", ""},
        {https_gateway("tls"), "/gatewayclasses", ""},
        {https_gateway("none"), "", "error    TLS001  Gateway shop/second: "},
        {replaced(https_gateway("tls"), "parentRefs: [{name: second}]", "parentRefs: [{name: second, sectionName: none}]"), "", "error    RT002   HTTPRoute shop/second: "},
    };
    for (const Row& row : rows) {
        const std::string file = folder.write("a.yaml", row.files);
        INFO(row.files << row.denied);
        const auto check = [&](const Ran& ran) {
            INFO(ran.out + ran.err);
            const bool fine = *row.says == '\0';
            CHECK(ran.code == (fine ? 0 : 1));
            CHECK(has(ran.out, row.says));
            CHECK(has(ran.err, "would introduce 0 errors, 0 warnings, 0 notes") == fine);
        };
        if (*row.denied == '\0') {
            check(daemon.run({"analyze", "-f", file}));
        } else {
            server.fail(row.denied, 403, 1);
        }
        check(testing::gwctl({"analyze", "-f", file, "--server", server.url()}));
    }
    // The file's own Secret is open.
    const std::string open = folder.write("a.yaml", https_gateway("tls") + replaced(tls_secret(), "BEGIN CERTIFICATE", "BEGIN NOTHING"));
    CHECK(has(daemon.run({"analyze", "-f", open}).out, "error    TLS002  Gateway shop/second: spec.listeners[0].tls.certificateRefs[0]: Secret shop/tls: "));
}

TEST_CASE("gwctl analyze -f: files alone need no address of the node, nor the routes that are elsewhere") {
    const Folder folder;
    const std::string classes = folder.write("class.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: penstock}\nspec: {controllerName: penstock.dev/gateway-controller}\n");
    const std::string gateway = folder.write("gw.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge, namespace: shop}\nspec:\n  gatewayClassName: penstock\n"
                                                        "  listeners: [{name: http, port: 80, protocol: HTTP}]\n");
    const Ran ran = testing::gwctl({"analyze", "-f", classes, "-f", gateway, "--fail-on", "warning"});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "note     LS001   Gateway shop/edge: listener http: no route that can be seen is attached\n"));
    CHECK(has(ran.err, "0 errors, 0 warnings, 1 note in these files\n"));
}
