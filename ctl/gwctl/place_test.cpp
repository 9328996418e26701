// SPDX-License-Identifier: Apache-2.0
// get and describe wherever objects are: the same commands on files, on a daemon and on an API server.
#include "ctl/gwctl/testing.hpp"
#include "tools/test/api_server.hpp"

using namespace penstock::gwctl::testing;
using json = nlohmann::json;
using penstock::test::ApiServer;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

json gateway(const std::string& ns, const std::string& name, const json& labels = json::object()) {
    return {{"apiVersion", "gateway.networking.k8s.io/v1"},
            {"kind", "Gateway"},
            {"metadata", {{"name", name}, {"namespace", ns}, {"labels", labels}, {"managedFields", json::array()}}},
            {"spec", {{"gatewayClassName", "penstock"}, {"listeners", {{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}}}}},
            {"status", {{"conditions", {{{"type", "Programmed"}, {"status", "False"}, {"reason", "AddressNotUsable"}, {"message", "it is taken"}}}}}}};
}

json route(const std::string& ns, const std::string& name) {
    return {{"apiVersion", "gateway.networking.k8s.io/v1"},
            {"kind", "HTTPRoute"},
            {"metadata", {{"name", name}, {"namespace", ns}}},
            {"spec", {{"parentRefs", {{{"name", "edge"}, {"namespace", "shop"}}}}, {"rules", {{{"backendRefs", {{{"name", "web"}, {"port", 80}}}}}}}}}};
}

// A server, a kubeconfig that leads to it, and an environment without daemon.
struct Cluster {
    ApiServer server;
    Folder folder;
    std::string config = folder.write("config", "current-context: home\nclusters: [{name: c, cluster: {server: " + server.url() +
                                                    "}}]\nusers: [{name: u, user: {}}]\n"
                                                    "contexts: [{name: home, context: {cluster: c, user: u, namespace: shop}}, {name: away, context: {cluster: c}}]\n");

    Ran run(std::vector<std::string> words) const {
        words.insert(words.end(), {"--kubeconfig", config});
        return gwctl(std::move(words));
    }
};

}  // namespace

TEST_CASE("gwctl get on a cluster: the context's namespace, another one, all, one object, by label") {
    Cluster cluster;
    cluster.server.put(gateway("shop", "edge", {{"tier", "web"}}));
    cluster.server.put(gateway("shop", "inner"));
    cluster.server.put(gateway("other", "edge"));
    struct Row {
        std::vector<std::string> words;
        const char* names;
    };
    const Row rows[] = {
        {{"get", "gateways", "-o", "name"}, "gateway.gateway.networking.k8s.io/edge\ngateway.gateway.networking.k8s.io/inner\n"},
        {{"get", "gtw", "-o", "name", "-n", "other"}, "gateway.gateway.networking.k8s.io/edge\n"},
        {{"get", "gtw", "-o", "name", "--context", "away"}, ""},
        {{"get", "gtw", "-o", "name", "-l", "tier=web"}, "gateway.gateway.networking.k8s.io/edge\n"},
        {{"get", "svc,gtw", "-o", "name", "-l", "tier=none"}, ""},
        {{"get", "gw/inner", "-o", "name"}, "gateway.gateway.networking.k8s.io/inner\n"},
        {{"get", "gateway/inner", "gtw/edge", "-o", "name"}, "gateway.gateway.networking.k8s.io/inner\ngateway.gateway.networking.k8s.io/edge\n"},
        {{"get", "gateways", "inner", "edge", "-o", "name"}, "gateway.gateway.networking.k8s.io/inner\ngateway.gateway.networking.k8s.io/edge\n"},
    };
    for (const Row& row : rows) {
        const Ran ran = cluster.run(row.words);
        INFO(ran.err);
        CHECK(ran.out == row.names);
        CHECK(ran.code == (*row.names == '\0' ? 1 : 0));
    }
    const Ran all = cluster.run({"get", "gateways", "-A"});
    CHECK(has(all.out, "NAMESPACE   NAME    CLASS      ADDRESSES   PROGRAMMED         LISTENERS   ROUTES   AGE\nother       edge    penstock   -           AddressNotUsable"));
    CHECK(has(cluster.run({"get", "gateways", "-o", "wide"}).out, "80/HTTP"));
    const json first = json::parse(cluster.run({"get", "gateways", "-o", "json"}).out)["items"][0];
    CHECK(first["metadata"]["name"] == "edge");
    CHECK_FALSE(first["metadata"].contains("managedFields"));
    CHECK(has(cluster.run({"get", "gateways", "-n", "none"}).err, "nothing found in the namespace none"));
}

TEST_CASE("gwctl describe on a cluster: conditions, who refers to it, and events") {
    Cluster cluster;
    cluster.server.put(gateway("shop", "edge"));
    cluster.server.put(route("other", "cart"));
    cluster.server.put({{"apiVersion", "v1"}, {"kind", "Event"}, {"metadata", {{"name", "e"}, {"namespace", "shop"}}}, {"type", "Warning"}, {"reason", "NoAddress"}, {"message", "the pool is empty"}});
    const Ran ran = cluster.run({"describe", "gateway", "edge"});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "Gateway shop/edge\n  from        the API server at " + cluster.server.url()));
    CHECK(has(ran.out, "AddressNotUsable   it is taken"));
    CHECK(has(ran.out, "HTTPRoute        other       cart"));
    CHECK(has(ran.out, "NoAddress"));
    const Ran none = cluster.run({"describe", "gateway", "nowhere"});
    CHECK(none.code == 1);
    CHECK(has(none.err, "there is no gateway nowhere in the namespace shop"));
    const Ran two = cluster.run({"describe", "gateway/edge", "gateway/nowhere"});
    CHECK(two.code == 1);
    CHECK(has(two.out, "Gateway shop/edge\n"));
    CHECK(has(two.err, "there is no gateway nowhere"));
    CHECK(cluster.run({"get", "gateways", "edge", "nowhere"}).code == 1);
    cluster.server.hide("tlsroutes", true);
    const Ran some = cluster.run({"get", "gateways,tlsroutes"});
    CHECK(some.code == 0);
    CHECK(has(some.out, "edge"));
    CHECK(has(some.err, "note: the API server at " + cluster.server.url() + " has no kind TLSRoute"));
    CHECK(cluster.run({"get", "tlsroutes"}).code == 3);
}

TEST_CASE("gwctl: a Secret is shown without its content, wherever it is from") {
    Cluster cluster;
    cluster.server.put({{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "s"}, {"namespace", "shop"}, {"annotations", {{"kubectl.kubernetes.io/last-applied-configuration", "c2VjcmV0"}}}}},
                        {"data", {{"tls.key", "c2VjcmV0"}}}});
    for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"get", "secrets", "-o", "yaml"}, {"get", "secret", "s", "-o", "json"}, {"describe", "secret", "s"}}) {
        const Ran ran = cluster.run(words);
        CHECK(has(ran.out, "tls.key"));
        CHECK_FALSE(has(ran.out, "c2VjcmV0"));
    }
}

TEST_CASE("gwctl get on files: each object with the status that it would have") {
    const Folder folder;
    const std::string file = folder.write("a.yaml", "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: penstock}\nspec: {controllerName: penstock.dev/gateway-controller}\n---\n" +
                                                        gateway("shop", "edge", {{"a", "b"}}).dump() + "\n---\n" + route("shop", "cart").dump() + "\n");
    const Ran ran = gwctl({"get", "gateways,httproutes", "-f", file, "--address", "192.0.2.7"});
    INFO(ran.out + ran.err);
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "shop        edge             penstock   192.0.2.7   True"));
    CHECK(has(ran.out, "BackendNotFound"));
    CHECK(gwctl({"get", "gateways", "-f", file, "-l", "a=c"}).code == 1);
    CHECK(has(gwctl({"describe", "gateway", "edge", "-f", file}).out, "  from        " + file + ":"));
}

TEST_CASE("gwctl on a cluster: what goes wrong is told by name and with a hint") {
    struct Row {
        int status;
        std::vector<std::string> words;
        const char* says;
    };
    const Row rows[] = {
        {401, {"get", "gateways"}, "hint: the API server does not know these credentials"},
        {403, {"get", "gateways"}, "list gateways.gateway.networking.k8s.io in the namespace shop: made to fail\nhint: a Role or ClusterRole must allow the verb \"list\""},
        {403, {"get", "gateways", "-A"}, "list gateways.gateway.networking.k8s.io in all namespaces: made to fail"},
        {500, {"get", "gateways"}, "made to fail"},
        {0, {"get", "tlsroutes"}, "has no kind TLSRoute\nhint: its CRD is not installed"},
        {0, {"get", "gateways", "--context", "nowhere"}, "config: the kubeconfig has no context 'nowhere'\nhint: it has home, away"},
        {0, {"get", "gateways", "--cluster", "nowhere"}, "the kubeconfig has no cluster 'nowhere'\nhint: it has c"},
        {0, {"get", "gateways", "--user", "nowhere"}, "the kubeconfig has no user 'nowhere'\nhint: it has u"},
        {0, {"get", "gateways", "--server", "nowhere"}, "the server 'nowhere' is no http or https address"},
        {0, {"get", "gateways", "--certificate-authority", "/nowhere/ca"}, "open /nowhere/ca"},
    };
    Cluster cluster;
    cluster.server.hide("tlsroutes", true);
    for (const Row& row : rows) {
        if (row.status != 0) {
            cluster.server.fail("/gateways", row.status, 1);
        }
        const Ran ran = cluster.run(row.words);
        INFO(ran.err);
        CHECK(ran.code == 3);
        CHECK(ran.out.empty());
        CHECK(has(ran.err, row.says));
    }
    cluster.server.hold("/gateways");
    const Ran late = cluster.run({"get", "gateways", "--request-timeout", "1"});
    CHECK(late.code == 3);
    CHECK(has(late.err, "hint: --request-timeout gives it longer"));
    const Ran none = gwctl({"get", "gateways", "--kubeconfig", "/nowhere/config"});
    CHECK(none.code == 3);
    CHECK(has(none.err, "open /nowhere/config\ncaused by: No such file or directory"));
    const Ran nobody = gwctl({"get", "services", "--server", "http://127.0.0.1:1"});
    CHECK(nobody.code == 3);
    CHECK(has(nobody.err, "the API server at http://127.0.0.1:1: list services in the namespace default: GET /api/v1/namespaces/default/services: "));
    CHECK(has(nobody.err, "hint: does the server run"));
}

TEST_CASE("gwctl: without a daemon KUBECONFIG leads to the cluster, a daemon that was named goes before it") {
    Cluster cluster;
    cluster.server.put(gateway("shop", "edge"));
    const Folder home;
    home.write(".kube/config", "current-context: home\nclusters: [{name: c, cluster: {server: " + cluster.server.url() + "}}]\ncontexts: [{name: home, context: {cluster: c, namespace: shop}}]\n");
    Daemon daemon;
    daemon.answer("/v1/objects", {{"apiVersion", "v1"}, {"kind", "List"}, {"items", {gateway("default", "of-the-daemon")}}});
    struct Row {
        std::string kubeconfig;
        std::string home;
        std::string state_dir;
        const char* says;
    };
    const Row rows[] = {
        {cluster.config, "/nowhere", "", "/edge"},
        {"", home.path(), "", "/edge"},
        {cluster.config, home.path(), daemon.folder.path(), "/of-the-daemon"},
        {cluster.config, home.path(), home.path(), "no daemon runs with this state folder: --state-dir names another; get, describe, analyze, apply and delete take --kubernetes for a cluster"},
        {"", "/nowhere", "", "no daemon runs with this state folder"},
    };
    for (const Row& row : rows) {
        std::vector<std::string> words = {"get", "gateways", "-o", "name"};
        if (!row.state_dir.empty()) {
            words.insert(words.end(), {"--state-dir", row.state_dir});
        }
        const Ran ran = gwctl(words, "", {{"KUBECONFIG", row.kubeconfig}, {"HOME", row.home}});
        INFO(ran.out + ran.err);
        CHECK(has(ran.out + ran.err, row.says));
    }
}
