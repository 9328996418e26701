// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/access.hpp"

#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

using namespace penstock;
using namespace penstock::kubeapi;

namespace {

constexpr const char* kConfig = R"(
apiVersion: v1
kind: Config
current-context: home
clusters:
- name: one
  cluster: {server: "https://10.0.0.1:6443/", certificate-authority: ca.pem, tls-server-name: api.example}
- name: two
  cluster: {server: "https://[fd00::1]:6443", certificate-authority-data: Q0E=, proxy-url: "http://proxy:3128"}
contexts:
- name: home
  context: {cluster: one, user: by-file, namespace: shop}
- name: away
  context: {cluster: two, user: by-data}
- name: plugin
  context: {cluster: one, user: by-plugin}
- name: nobody
  context: {cluster: one}
- name: broken
  context: {cluster: three, user: by-file}
- name: half
  context: {cluster: one, user: half}
users:
- name: by-file
  user: {client-certificate: /etc/cert.pem, client-key: key.pem, tokenFile: token}
- name: by-data
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: abc, username: u, password: p}
- name: by-plugin
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./get-token, args: [a, b], env: [{name: X, value: y}], provideClusterInfo: true}}
- name: half
  user: {client-certificate: /etc/cert.pem}
)";

}  // namespace

TEST_CASE("kubeconfig: files are taken from its folder, data is decoded, the namespace is the context's") {
    const auto home = access_of_kubeconfig(kConfig, "/etc/kube", "");
    REQUIRE(home.ok());
    CHECK(home->server == "https://10.0.0.1:6443");
    CHECK(home->ca == Material{.bytes = "", .file = "/etc/kube/ca.pem"});
    CHECK(home->tls_server_name == "api.example");
    CHECK(home->client_certificate.file == "/etc/cert.pem");
    CHECK(home->client_key.file == "/etc/kube/key.pem");
    CHECK(home->token.file == "/etc/kube/token");
    CHECK(home->ns == "shop");
    const auto away = access_of_kubeconfig(kConfig, "/etc/kube", "away");
    REQUIRE(away.ok());
    CHECK(away->ca.bytes == "CA");
    CHECK(away->client_certificate.bytes == "CERT");
    CHECK(away->client_key.bytes == "KEY");
    CHECK(away->token.bytes == "abc");
    CHECK(away->username == "u");
    CHECK(away->proxy_url == "http://proxy:3128");
    CHECK(away->ns == "default");
    const auto nobody = access_of_kubeconfig(kConfig, "/etc/kube", "nobody");
    REQUIRE(nobody.ok());
    CHECK_FALSE(nobody->token.given());
}

TEST_CASE("kubeconfig: an exec plugin is read whole") {
    const auto access = access_of_kubeconfig(kConfig, "/etc/kube", "plugin");
    REQUIRE(access.ok());
    REQUIRE(access->exec.has_value());
    CHECK(access->exec->command == "/etc/kube/./get-token");
    CHECK(access->exec->arguments == std::vector<std::string>{"a", "b"});
    CHECK(access->exec->environment.at(0) == std::pair<std::string, std::string>("X", "y"));
    CHECK(access->exec->wants_cluster);
}

TEST_CASE("kubeconfig: what is wrong is named, and no secret is shown") {
    struct Row {
        const char* text;
        const char* context;
        const char* says;
    };
    const Row rows[] = {
        {"", "", "not a kubeconfig"},
        {"[]", "", "not a kubeconfig"},
        {"a: [", "", "not a kubeconfig"},
        {"clusters: []", "", "no current-context"},
        {kConfig, "elsewhere", "no context 'elsewhere'"},
        {kConfig, "broken", "no cluster 'three'"},
        {kConfig, "half", "a client certificate or its key"},
        {"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: 10.0.0.1}}]", "", "no http or https address"},
        {"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: https://x, certificate-authority-data: '*'}}]", "",
         "certificate-authority-data of the kubeconfig is not base64"},
    };
    for (const Row& row : rows) {
        INFO(row.says);
        const auto access = access_of_kubeconfig(row.text, "/etc/kube", row.context);
        REQUIRE_FALSE(access.ok());
        CHECK(access.error().message().find(row.says) != std::string::npos);
    }
}

TEST_CASE("a pod: its service account says it all, and IPv6 hosts get brackets") {
    const test::TestFolder folder;
    CHECK_FALSE(access_of_pod(folder.text(), "10.96.0.1", "443").ok());
    folder.write("token", "abc\n");
    folder.write("namespace", "penstock");
    CHECK_FALSE(access_of_pod(folder.text(), "", "").ok());
    const auto v4 = access_of_pod(folder.text(), "10.96.0.1", "443");
    REQUIRE(v4.ok());
    CHECK(v4->server == "https://10.96.0.1:443");
    CHECK(v4->ns == "penstock");
    CHECK(v4->token.file == folder.text() + "/token");
    CHECK(access_of_pod(folder.text(), "fd00::1", "443")->server == "https://[fd00::1]:443");
}
