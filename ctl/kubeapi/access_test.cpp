// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/access.hpp"

#include <cstdlib>
#include <filesystem>

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
- name: acting
  context: {cluster: one, user: acting}
users:
- name: by-file
  user: {client-certificate: /etc/cert.pem, client-key: key.pem, tokenFile: token}
- name: by-data
  user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ, token: abc, username: u, password: p}
- name: by-plugin
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./get-token, args: [a, b], env: [{name: X, value: y}], provideClusterInfo: true}}
- name: half
  user: {client-certificate: /etc/cert.pem}
- name: acting
  user: {token: abc, as: jane, as-uid: "7", as-groups: [a], as-user-extra: {x.example/y: [b, c]}}
)";

Result<Access> access_of(const test::TestFolder& folder, const char* text, const std::string& context) {
    folder.write("config", text);
    return find_access({.kubeconfig = folder.text() + "/config", .context = context});
}

}  // namespace

TEST_CASE("kubeconfig: an exec plugin has its cluster's extension, and one that must ask somebody is refused") {
    const test::TestFolder folder;
    const std::string config = R"(
apiVersion: v1
kind: Config
clusters:
- name: one
  cluster: {server: https://a, extensions: [{name: other, extension: {x: 1}}, {name: client.authentication.k8s.io/exec, extension: {audience: b}}]}
contexts:
- {name: one, context: {cluster: one, user: plugin}}
current-context: one
users:
- {name: plugin, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: get-token, interactiveMode: MODE}}}
)";
    const auto with = [&](const char* mode) {
        std::string text = config;
        text.replace(text.find("MODE"), 4, mode);
        return access_of(folder, text.c_str(), "");
    };
    const auto found = with("IfAvailable");
    REQUIRE(found.ok());
    CHECK(found->exec_config.find("\"audience\": \"b\"") != std::string::npos);
    CHECK(found->exec_config.find("x") == std::string::npos);
    CHECK(with("Never").ok());
    CHECK(with("Always").error().message().find("interactiveMode Always") != std::string::npos);
}

TEST_CASE("kubeconfig: files are taken from its folder, data is decoded, the namespace is the context's") {
    const test::TestFolder folder;
    const auto home = access_of(folder, kConfig, "");
    REQUIRE(home.ok());
    CHECK(home->server == "https://10.0.0.1:6443");
    CHECK(home->ca == Material{.bytes = "", .file = folder.text() + "/ca.pem"});
    CHECK(home->tls_server_name == "api.example");
    CHECK(home->client_certificate.file == "/etc/cert.pem");
    CHECK(home->client_key.file == folder.text() + "/key.pem");
    CHECK(home->token.file == folder.text() + "/token");
    CHECK(home->ns == "shop");
    const auto away = access_of(folder, kConfig, "away");
    REQUIRE(away.ok());
    CHECK(away->ca.bytes == "CA");
    CHECK(away->client_certificate.bytes == "CERT");
    CHECK(away->client_key.bytes == "KEY");
    CHECK(away->token.bytes == "abc");
    CHECK(away->username == "u");
    CHECK(away->proxy_url == "http://proxy:3128");
    CHECK(away->ns == "default");
    const auto acting = access_of(folder, kConfig, "acting");
    REQUIRE(acting.ok());
    CHECK(acting->as == Acting{.user = "jane", .uid = "7", .groups = {"a"}, .extra = {{"x.example/y", "b"}, {"x.example/y", "c"}}});
    const auto nobody = access_of(folder, kConfig, "nobody");
    REQUIRE(nobody.ok());
    CHECK_FALSE(nobody->token.given());
}

TEST_CASE("kubeconfig: an exec plugin is read whole") {
    const test::TestFolder folder;
    const auto access = access_of(folder, kConfig, "plugin");
    REQUIRE(access.ok());
    REQUIRE(access->exec.has_value());
    CHECK(access->exec->command == folder.text() + "/./get-token");
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
        {"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: 10.0.0.1}}]", "", "'10.0.0.1' is no http or https address"},
        {"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: 'https://u:pass@x/y'}}]", "", "has a user or a password in it"},
        {"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: 'u:pass@x'}}]", "", "has a user or a password in it"},
        {"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: https://x, certificate-authority-data: '*'}}]", "",
         "certificate-authority-data of the kubeconfig is not base64"},
    };
    const test::TestFolder folder;
    for (const Row& row : rows) {
        INFO(row.says);
        const auto access = access_of(folder, row.text, row.context);
        REQUIRE_FALSE(access.ok());
        CHECK(access.error().message().find(row.says) != std::string::npos);
        CHECK(access.error().message().find("pass@") == std::string::npos);
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

namespace {

// The environment that find_access looks at, for as long as this lives.
class Environment {
public:
    Environment(const std::string& kubeconfig, const std::string& home) {
        set("KUBECONFIG", kubeconfig);
        set("HOME", home);
        set("KUBERNETES_SERVICE_HOST", "");
    }
    ~Environment() {
        for (const auto& [name, value] : before_) {
            value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
        }
    }
    Environment(const Environment&) = delete;

private:
    void set(const std::string& name, const std::string& value) {
        const char* before = std::getenv(name.c_str());
        before_.emplace_back(name, before != nullptr ? std::optional<std::string>(before) : std::nullopt);
        value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    }
    std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

}  // namespace

TEST_CASE("find access: the files of KUBECONFIG count as one, each with its own folder, and the first says most") {
    const test::TestFolder folder;
    std::filesystem::create_directories(folder.text() + "/a");
    std::filesystem::create_directories(folder.text() + "/b");
    folder.write("a/one", "current-context: x\nusers: [{name: u, user: {tokenFile: token}}]\nclusters: [{name: c, cluster: {server: https://first}}]\n");
    folder.write("b/two", "current-context: y\ncontexts: [{name: x, context: {cluster: c, user: u}}, {name: y, context: {cluster: d}}]\n"
                          "clusters: [{name: c, cluster: {server: https://second}}, {name: d, cluster: {server: https://third, certificate-authority: ca}}]\n");
    const Environment environment(folder.text() + "/absent:" + folder.text() + "/a/one:" + folder.text() + "/b/two", folder.text());
    const auto access = find_access({});
    REQUIRE(access.ok());
    CHECK(access->server == "https://first");
    CHECK(access->token.file == folder.text() + "/a/token");
    const auto other = find_access({.context = "y", .user = "u"});
    REQUIRE(other.ok());
    CHECK(other->server == "https://third");
    CHECK(other->ca.file == folder.text() + "/b/ca");
    CHECK(other->token.file == folder.text() + "/a/token");
    CHECK(find_access({.cluster = "d"})->server == "https://third");
    const auto unknown = find_access({.context = "z"});
    REQUIRE_FALSE(unknown.ok());
    CHECK(unknown.error().report().find("no context 'z'\nhint: it has x, y") != std::string::npos);
}

TEST_CASE("find access: what is said on the command line goes before the kubeconfig, and a server needs none") {
    const test::TestFolder folder;
    folder.write("config", kConfig);
    const Environment environment("", folder.text());
    CHECK(find_access({}).error().message().find("there is no kubeconfig") == 0);
    CHECK_FALSE(find_access({.context = "home", .server = "https://x"}).ok());
    const auto bare = find_access({.server = "https://127.0.0.1:8443/", .token = "t"});
    REQUIRE(bare.ok());
    CHECK(bare->server == "https://127.0.0.1:8443");
    CHECK(bare->token.bytes == "t");
    CHECK(find_access({.server = "127.0.0.1"}).error().message() == "the server '127.0.0.1' is no http or https address");
    const auto over = find_access({.kubeconfig = folder.text() + "/config", .context = "plugin", .token = "mine", .certificate_authority = "ca", .skip_verify = true, .as = "jane",
                                   .as_groups = {"a", "b"}});
    REQUIRE(over.ok());
    CHECK(over->server == "https://10.0.0.1:6443");
    CHECK(over->token == Material{.bytes = "mine", .file = ""});
    CHECK_FALSE(over->exec.has_value());
    CHECK(over->ca.file == "ca");
    CHECK(over->skip_verify);
    CHECK(over->as == Acting{.user = "jane", .uid = "", .groups = {"a", "b"}, .extra = {}});
    CHECK(over->tls_server_name == "api.example");
    folder.write("lax", "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: https://x, insecure-skip-tls-verify: true}}]");
    CHECK(find_access({.kubeconfig = folder.text() + "/lax"})->skip_verify);
    CHECK_FALSE(find_access({.kubeconfig = folder.text() + "/lax"})->disable_compression);
    CHECK(find_access({.kubeconfig = folder.text() + "/lax", .disable_compression = true})->disable_compression);
    folder.write("near", "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {server: https://x, disable-compression: true}}]");
    CHECK(find_access({.kubeconfig = folder.text() + "/near"})->disable_compression);
    CHECK_FALSE(find_access({.kubeconfig = folder.text() + "/lax", .certificate_authority = "ca"})->skip_verify);
    const auto elsewhere = find_access({.kubeconfig = folder.text() + "/config", .server = "https://x"});
    REQUIRE(elsewhere.ok());
    CHECK(elsewhere->tls_server_name.empty());  // as kubectl does
    CHECK(find_access({.kubeconfig = folder.text() + "/config", .tls_server_name = "b"})->tls_server_name == "b");
}

TEST_CASE("find access: a server of plain HTTP gets no credentials") {
    const test::TestFolder folder;
    folder.write("config", kConfig);
    const Environment environment("", folder.text());
    const AccessChoice choices[] = {{.context = "home"}, {.context = "plugin"}, {.token = "t"}, {.username = "u", .password = "p"}, {.client_certificate = "c", .client_key = "k"}};
    for (AccessChoice choice : choices) {
        choice.kubeconfig = folder.text() + "/config";
        for (const char* server : {"http://127.0.0.1:1", "https://127.0.0.1:1"}) {
            choice.server = server;
            choice.as = "jane";
            const auto access = find_access(choice);
            INFO(server << " " << choice.context << choice.token << choice.username << choice.client_certificate);
            REQUIRE(access.ok());
            const bool given = access->token.given() || access->client_certificate.given() || access->client_key.given() || access->exec || !access->username.empty() ||
                               !access->password.empty();
            CHECK(given == std::string_view(server).starts_with("https"));
            CHECK(access->as.user == "jane");
        }
    }
}

TEST_CASE("find access: who is named on the command line is all that is said of who asks") {
    const test::TestFolder folder;
    folder.write("config", kConfig);
    const auto with = [&](AccessChoice choice) {
        choice.kubeconfig = folder.text() + "/config";
        return find_access(choice);
    };
    const auto pair = with({.context = "plugin", .client_certificate = "c", .client_key = "k"});
    REQUIRE(pair.ok());
    CHECK(pair->client_certificate.file == "c");
    CHECK(pair->client_key.file == "k");
    CHECK_FALSE(pair->exec.has_value());
    const auto other = with({.context = "away", .client_certificate = "c", .client_key = "k"});
    CHECK(other->client_certificate.bytes.empty());
    CHECK_FALSE(other->token.given());
    CHECK(other->username.empty());
    const auto renewed = with({.context = "away", .client_key = "k"});
    CHECK(renewed->client_certificate.bytes == "CERT");
    CHECK(renewed->client_key == Material{.bytes = "", .file = "k"});
    const auto weak = with({.context = "away", .token = "t"});
    CHECK_FALSE(weak->client_certificate.given());  // it would count more than the token
    CHECK(weak->username.empty());
    CHECK(with({.context = "away", .password = "other"})->password == "other");
    const auto basic = with({.context = "away", .username = "jane", .password = "p:w"});
    REQUIRE(basic.ok());
    CHECK(basic->username == "jane");
    CHECK(basic->password == "p:w");
    CHECK_FALSE(basic->token.given());
    CHECK_FALSE(basic->client_key.given());
    const auto acting = with({.as = "jane", .as_uid = "7", .as_extra = {"a.example/b=c=d", "e=f"}});
    REQUIRE(acting.ok());
    CHECK(acting->as == Acting{.user = "jane", .uid = "7", .groups = {}, .extra = {{"a.example/b", "c=d"}, {"e", "f"}}});
    const auto narrowed = with({.context = "acting", .as_extra = {"reason=x"}});
    CHECK(narrowed->as.extra == std::vector<std::pair<std::string, std::string>>{{"x.example/y", "b"}, {"x.example/y", "c"}, {"reason", "x"}});
    CHECK(with({.context = "acting", .as_extra = {"x.example/y=d"}})->as.extra == std::vector<std::pair<std::string, std::string>>{{"x.example/y", "d"}});
    struct Row {
        AccessChoice choice;
        const char* says;
    };
    const Row wrong[] = {
        {{.token = "secret-t", .username = "jane"}, "a token and a user name are given"},
        {{.context = "plugin", .client_certificate = "c"}, "a client certificate or its key, but not both"},
        {{.context = "nobody", .client_key = "k"}, "a client certificate or its key, but not both"},
        {{.password = "secret-t"}, "a password is given, but no user name"},
        {{.as = "jane", .as_groups = {""}}, "is empty"},
        {{.as = "jane", .as_extra = {"a="}}, "is empty"},
        {{.as_groups = {"a"}}, "but not as whom"},
        {{.as_uid = "7"}, "but not as whom"},
        {{.as_extra = {"a=b"}}, "but not as whom"},
        {{.as = "jane", .as_extra = {"=b"}}, "'=b' to act with is not NAME=VALUE"},
        {{.as = "jane", .as_extra = {"b"}}, "'b' to act with is not NAME=VALUE"},
    };
    for (const Row& row : wrong) {
        INFO(row.says);
        const auto access = with(row.choice);
        REQUIRE_FALSE(access.ok());
        CHECK(access.error().message().find(row.says) != std::string::npos);
        CHECK(access.error().report().find("secret-t") == std::string::npos);
    }
}

TEST_CASE("find access: with a server a kubeconfig needs no current context, unless something of it is named") {
    const test::TestFolder folder;
    std::filesystem::create_directories(folder.text() + "/.kube");
    folder.write(".kube/config", "clusters: [{name: c, cluster: {server: https://one}}]\nusers: [{name: u, user: {token: abc}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n");
    const Environment environment("", folder.text());
    struct Row {
        AccessChoice choice;
        const char* token;
        const char* says;  // else
    };
    const Row rows[] = {
        {{.server = "https://two"}, "", ""},
        {{.server = "https://two", .token = "mine"}, "mine", ""},
        {{.context = "x", .server = "https://two"}, "abc", ""},
        {{.cluster = "c", .user = "u", .server = "https://two"}, "abc", ""},
        {{.user = "u", .server = "https://two"}, "", "the kubeconfig has no current-context"},
        {{}, "", "the kubeconfig has no current-context"},
    };
    for (const Row& row : rows) {
        const auto access = find_access(row.choice);
        INFO(row.says);
        REQUIRE(access.ok() == (*row.says == '\0'));
        if (access.ok()) {
            CHECK(access->server == "https://two");
            CHECK(access->token.bytes == row.token);
        } else {
            CHECK(access.error().message().find(row.says) != std::string::npos);
        }
    }
}
