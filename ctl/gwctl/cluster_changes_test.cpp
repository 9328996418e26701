// SPDX-License-Identifier: Apache-2.0
// apply and delete on an API server, as a user runs them.
#include <algorithm>

#include "ctl/gwctl/testing.hpp"
#include "tools/test/api_server.hpp"

using namespace penstock::gwctl::testing;
using json = nlohmann::json;
using penstock::test::ApiServer;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct Cluster {
    ApiServer server;
    Folder folder;

    Ran run(std::vector<std::string> words, const std::string& input = "") const {
        words.insert(words.end(), {"--server", server.url()});
        return gwctl(std::move(words), input);
    }
    [[nodiscard]] std::string in() const { return "in the API server at " + server.url() + "\n"; }
};

constexpr const char* kService = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n";
constexpr const char* kDeployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop, managedFields: []}\nspec: {replicas: 1}\n";
constexpr const char* kServicePath = "/api/v1/namespaces/default/services/web";

}  // namespace

TEST_CASE("gwctl apply on a cluster: server-side, of any kind, and what came of each is told") {
    Cluster cluster;
    const std::string file = cluster.folder.write("a.yaml", std::string(kService) + "---\n" + kDeployment);
    const Ran first = cluster.run({"apply", "-f", file});
    CHECK(first.err == cluster.in());
    CHECK(first.code == 0);
    CHECK(first.out == "Service default/web created\nDeployment shop/web created\n");
    CHECK(cluster.server.requests("PATCH " + std::string(kServicePath) + "?fieldManager=gwctl&fieldValidation=Strict ") == 1);
    CHECK_FALSE(cluster.server.get("/apis/apps/v1/namespaces/shop/deployments/web")["metadata"].contains("managedFields"));
    cluster.folder.write("b.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 81}]}\n");
    const Ran dry = cluster.run({"apply", "-f", cluster.folder.file("b.yaml"), "--dry-run"});
    CHECK(dry.out == "Service default/web configured (dry run)\n");
    CHECK(cluster.server.get(kServicePath)["spec"]["ports"][0]["port"] == 80);
    const std::string another = cluster.folder.write("d.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: new}\n");
    CHECK(cluster.run({"apply", "-f", file, "-f", another, "--dry-run=client"}).out == "Service default/web configured (dry run)\nDeployment shop/web configured (dry run)\nService default/new created (dry run)\n");
    CHECK(cluster.run({"apply", "-f", cluster.folder.file("b.yaml")}).out == "Service default/web configured\n");
    CHECK(cluster.run({"apply", "-f", cluster.folder.file("b.yaml")}).out == "Service default/web unchanged\n");
    CHECK(cluster.run({"apply", "-f", "-", "-n", "other"}, R"({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}]})").out ==
          "ConfigMap other/a created\n");
    CHECK(json::parse(cluster.run({"apply", "-f", file, "-o", "json"}).out)["changed"][1]["name"] == "web");
}

TEST_CASE("gwctl apply on a cluster: a token does not go over plain HTTP, and that is said") {
    Cluster cluster;
    const Ran ran = cluster.run({"apply", "-f", cluster.folder.write("a.yaml", kService), "--token", "secret"});
    CHECK(ran.code == 0);
    CHECK(has(ran.err, "warn gwctl: " + cluster.server.url() + " is plain HTTP: it gets no credentials\n"));
    CHECK_FALSE(has(ran.err, "secret"));
    CHECK(cluster.server.requests("PATCH " + std::string(kServicePath) + "?fieldManager=gwctl&fieldValidation=Strict ") == 1);
}

TEST_CASE("gwctl apply on a cluster: another manager's fields are told plainly, and taken over only by force") {
    Cluster cluster;
    const std::string file = cluster.folder.write("a.yaml", kService);
    cluster.run({"apply", "-f", file});
    cluster.server.own(kServicePath, "kubectl", ".spec.ports");
    const Ran refused = cluster.run({"apply", "-f", file});
    CHECK(refused.code == 3);
    CHECK(refused.out.empty());
    CHECK(refused.err == cluster.in() + "error: apply Service default/web: others have set fields that it sets: .spec.ports: conflict with \"kubectl\" using v1\n" +
                             "hint: --force-conflicts takes these fields over; else leave them out of the manifest\n");
    const Ran both = cluster.run({"apply", "-f", file, "-f", cluster.folder.write("c.yaml", kDeployment)});
    CHECK(both.code == 1);  // one of two was done
    CHECK(both.out == "Deployment shop/web created\n");
    CHECK(cluster.run({"apply", "-f", file, "--force-conflicts"}).code == 0);
    CHECK(cluster.server.requests("&force=true") == 1);
}

TEST_CASE("gwctl apply on a cluster: what is wrong with the order is told before anything is changed") {
    Cluster cluster;
    cluster.server.hide("tlsroutes", true);
    struct Row {
        std::string text;
        std::vector<std::string> more;
        const char* says;
    };
    const Row rows[] = {
        {"apiVersion: gateway.networking.k8s.io/v1\nkind: TLSRoute\nmetadata: {name: a}\n", {}, "the API server has no kind TLSRoute in gateway.networking.k8s.io/v1\nhint: of this group it serves the versions v1"},
        {"apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n", {}, "hint: its CRD is not installed"},
        {"apiVersion: v1\nkind: Service\nmetadata: {}\n", {}, "b.yaml:1: metadata.name is missing"},
        {"kind: Service\nmetadata: {name: a}\n", {}, "b.yaml:1: apiVersion is missing"},
        {"a: [\n", {}, "b.yaml:"},
        {"# nothing\n", {}, "there is no object in"},
        {"apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\n", {"-n", "other"}, "its namespace is shop, but -n says other"},
    };
    for (const Row& row : rows) {
        std::vector<std::string> words = {"apply", "-f", cluster.folder.write("a.yaml", kService), "-f", cluster.folder.write("b.yaml", row.text)};
        if (row.text.starts_with("#")) {
            words.erase(words.begin() + 1, words.begin() + 3);
        }
        words.insert(words.end(), row.more.begin(), row.more.end());
        const Ran ran = cluster.run(words);
        INFO(ran.err);
        CHECK(ran.code == 3);
        CHECK(ran.out.empty());
        CHECK(has(ran.err, row.says));
    }
    CHECK(cluster.server.requests("PATCH") == 0);
    cluster.server.fail("fieldManager", 403, 1);
    const Ran denied = cluster.run({"apply", "-f", cluster.folder.file("a.yaml")});
    CHECK(denied.code == 3);
    CHECK(has(denied.err, "patch services default/web: made to fail\nhint: a Role or ClusterRole must allow the verb \"patch\" on \"services\""));
}

TEST_CASE("gwctl apply on a cluster: --wait is for what the controller says") {
    Cluster cluster;
    json gateway = {{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "Gateway"}, {"metadata", {{"name", "edge"}, {"namespace", "default"}}}, {"spec", {{"gatewayClassName", "penstock"}}}};
    const std::string file = cluster.folder.write("a.yaml", gateway.dump());
    cluster.server.put({{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "GatewayClass"}, {"metadata", {{"name", "penstock"}}}, {"spec", {{"controllerName", "penstock.dev/gateway-controller"}}}});
    const Ran silent = cluster.run({"apply", "-f", file, "--wait=1"});
    CHECK(silent.code == 1);
    CHECK(has(silent.err, "Gateway default/edge: nobody has said anything of this generation yet"));
    gateway["status"] = {{"conditions", {{{"type", "Programmed"}, {"status", "False"}, {"reason", "AddressNotUsable"}, {"message", "taken"}, {"observedGeneration", 1}}}}};
    cluster.server.put(gateway);
    const Ran bad = cluster.run({"apply", "-f", file, "--wait=60"});
    CHECK(bad.code == 1);
    CHECK(has(bad.err, "Programmed=False   AddressNotUsable   taken"));
    gateway["status"]["conditions"][0]["status"] = "True";
    cluster.server.put(gateway);
    CHECK(cluster.run({"apply", "-f", file, "--wait=60"}).code == 0);
}

TEST_CASE("gwctl apply on a cluster: --wait tells at once what an object belongs to and is not there") {
    Cluster cluster;
    const auto says = [&](const char* kind, const json& spec) {
        const json object = {{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", kind}, {"metadata", {{"name", "a"}, {"namespace", "default"}}}, {"spec", spec}};
        const Ran ran = cluster.run({"apply", "-f", cluster.folder.write("a.yaml", object.dump()), "--wait=60"});
        CHECK(ran.code == 1);
        CHECK_FALSE(has(ran.err, "nobody has said"));
        return ran.err.substr(cluster.in().size());
    };
    CHECK(says("HTTPRoute", {{"parentRefs", {{{"name", "edeg"}, {"namespace", "shop"}}}}}) == "HTTPRoute default/a: spec.parentRefs[0]: there is no Gateway shop/edeg, so nobody says anything of it\n");
    CHECK(says("ListenerSet", {{"parentRef", {{"name", "edeg"}}}, {"listeners", {{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}}}}) == "ListenerSet default/a: spec.parentRef: there is no Gateway default/edeg, so nobody says anything of it\n");
    CHECK(says("Gateway", {{"gatewayClassName", "nobody"}, {"listeners", {{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}}}}) ==
          "Gateway default/a: spec.gatewayClassName: there is no GatewayClass nobody, so nobody says anything of it\n");
}

TEST_CASE("gwctl apply on a cluster: --wait asks for what a controller must say, and for nothing else") {
    const json good = {{"type", "Programmed"}, {"status", "True"}, {"reason", "Programmed"}, {"observedGeneration", 1}};
    struct Row {
        const char* kind;
        json conditions;
        int denied;  // the status of who looks
        int code;
        const char* says;
    };
    const Row rows[] = {
        {"Gateway", {good}, 0, 0, ""},
        {"Gateway", {good, {{"type", "example.com/Shiny"}, {"status", "False"}, {"reason", "Dull"}, {"observedGeneration", 1}}}, 0, 0, ""},
        {"Gateway", {good, {{"type", "Conflicted"}, {"status", "True"}, {"reason", "HostnameConflict"}, {"observedGeneration", 1}}}, 0, 1, "Conflicted=True   HostnameConflict"},
        {"Gateway", {good}, 403, 1, "get gateways.gateway.networking.k8s.io default/a: made to fail\nhint: a Role or ClusterRole must allow the verb \"get\""},
        {"Gateway", {good}, 401, 1, "hint: the API server does not know these credentials"},
        {"BackendTLSPolicy", json::array(), 0, 0, ""},
        {"ReferenceGrant", json::array(), 0, 0, ""},
    };
    for (const Row& row : rows) {
        INFO(row.kind << row.conditions);
        Cluster cluster;
        json object = {{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", row.kind}, {"metadata", {{"name", "a"}, {"namespace", "default"}}}, {"spec", {{"x", 1}}}};
        const std::string file = cluster.folder.write("a.yaml", object.dump());
        object["status"] = {{"conditions", row.conditions}};
        cluster.server.put(object);
        if (row.denied != 0) {
            cluster.server.fail("GET /apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/a", row.denied, 1000);
        }
        const Ran ran = cluster.run({"apply", "-f", file, "--wait=60"});
        INFO(ran.err);
        CHECK(ran.code == row.code);
        CHECK(has(ran.err, row.says));
        CHECK_FALSE(has(ran.err, "nobody has said"));
    }
}

TEST_CASE("gwctl delete on a cluster: --wait tells who may not look") {
    Cluster cluster;
    cluster.run({"apply", "-f", cluster.folder.write("a.yaml", kService)});
    cluster.server.fail("GET " + std::string(kServicePath), 403, 1000);
    const Ran ran = cluster.run({"delete", "svc", "web", "--wait=60"});
    CHECK(ran.code == 1);
    CHECK(has(ran.err, "get services default/web: made to fail\nhint: a Role or ClusterRole must allow the verb \"get\""));
}

TEST_CASE("gwctl apply on a cluster: a status says nothing of whether the object was altered") {
    Cluster cluster;
    json gateway = {{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "Gateway"}, {"metadata", {{"name", "edge"}, {"namespace", "default"}}}, {"spec", {{"gatewayClassName", "penstock"}}},
                    {"status", {{"addresses", {"192.0.2.1"}}}}};
    cluster.server.put(gateway);
    gateway["status"]["addresses"][0] = "192.0.2.2";  // as if a controller had written meanwhile
    CHECK(cluster.run({"apply", "-f", cluster.folder.write("a.yaml", gateway.dump())}).out == "Gateway default/edge unchanged\n");
}

TEST_CASE("gwctl delete on a cluster: by kind and names, or those of files") {
    Cluster cluster;
    const std::string file = cluster.folder.write("a.yaml", kService);
    cluster.run({"apply", "-f", file});
    CHECK(cluster.run({"delete", "svc", "web", "--dry-run"}).out == "Service default/web deleted (dry run)\n");
    CHECK_FALSE(cluster.server.get(kServicePath).is_null());
    const Ran client = cluster.run({"delete", "svc/web", "svc/absent", "--dry-run=client"});
    CHECK(client.code == 1);
    CHECK(client.out == "Service default/web deleted (dry run)\n");
    CHECK(has(client.err, "error: there is no Service default/absent"));
    CHECK(cluster.server.requests("DELETE") == 1);  // that of --dry-run
    const Ran ran = cluster.run({"delete", "svc", "web", "--wait"});
    CHECK(ran.code == 0);
    CHECK(ran.out == "Service default/web deleted\n");
    CHECK(cluster.server.get(kServicePath).is_null());
    const Ran again = cluster.run({"delete", "-f", file});
    CHECK(again.code == 3);
    CHECK(again.err == cluster.in() + "error: there is no Service default/web\nhint: --ignore-not-found takes that as well\n");
    CHECK(cluster.run({"delete", "-f", file, "--ignore-not-found"}).code == 0);
    cluster.run({"apply", "-f", file});
    const Ran some = cluster.run({"delete", "service", "web", "absent"});
    CHECK(some.code == 1);
    CHECK(some.out == "Service default/web deleted\n");
    cluster.run({"apply", "-f", file});
    cluster.server.put({{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"name", "web"}, {"namespace", "other"}}}});
    CHECK(cluster.run({"delete", "svc,gtw", "--all"}).out == "Service default/web deleted\n");
    CHECK_FALSE(cluster.server.get("/api/v1/namespaces/other/services/web").is_null());
    const Ran none = cluster.run({"delete", "svc", "--all"});
    CHECK(none.code == 0);
    CHECK(has(none.err, "nothing found"));
    cluster.run({"apply", "-f", file});
    cluster.server.fail("DELETE /api/v1/namespaces/default/services/web", 404, 1);  // gone since it was listed
    const Ran gone = cluster.run({"delete", "svc", "--all"});
    CHECK(gone.code == 0);
    CHECK(gone.out == "Service default/web not there\n");
    cluster.server.fail("gatewayclasses", 403, 1);
    CHECK(has(cluster.run({"delete", "gatewayclass", "penstock"}).err, "the verb \"delete\" on \"gatewayclasses.gateway.networking.k8s.io\""));
}
