// SPDX-License-Identifier: Apache-2.0
// load, apply and delete with a daemon, as a user runs them: what it is asked to do, and what is told of the outcome.
#include "ctl/gwctl/testing.hpp"

using namespace penstock::gwctl::testing;
using json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr const char* kService = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - {name: http, port: 80}\n";

json changed(const json& more = json::object()) {
    json answer = {{"generation", 13}, {"dry_run", false}, {"reached", true}, {"diagnostics", json::array()}, {"not_good", json::array()}, {"errors", json::array()},
                   {"changed", {{{"kind", "Service"}, {"namespace", "default"}, {"name", "web"}, {"change", "created"}}}}};
    answer.update(more);
    return answer;
}

}  // namespace

TEST_CASE("gwctl load: files, folders and standard input go to the daemon under their names") {
    Daemon daemon;
    daemon.answer("/v1/load", changed());
    const Folder folder;
    folder.write("m/b.yaml", kService);
    folder.write("m/a.json", "{}");
    folder.write("m/.hidden.yaml", "x");
    folder.write("m/note.txt", "x");
    const std::string single = folder.write("one.yaml", "kind: One\n");
    const Ran ran = daemon.run({"load", "-f", single, "-f", folder.file("m"), "-f", "-"}, "kind: Two\n");
    CHECK(ran.code == 0);
    CHECK(ran.out == "Service default/web created\n");
    CHECK(ran.err.empty());
    const auto [path, body] = daemon.requests()[0];
    CHECK(path == "/v1/load");
    CHECK(body == json({{"documents", {{{"name", single}, {"text", "kind: One\n"}}, {{"name", folder.file("m/a.json")}, {"text", "{}"}},
                                       {{"name", folder.file("m/b.yaml")}, {"text", kService}}, {{"name", "stdin"}, {"text", "kind: Two\n"}}}},
                        {"replace", false}, {"dry_run", false}, {"wait_ms", 0}}));
}

TEST_CASE("gwctl load: dry run, replace and wait are asked for, and their outcome is the exit code") {
    Daemon daemon;
    const Folder folder;
    const std::string file = folder.write("a.yaml", kService);
    daemon.answer("/v1/load", changed({{"dry_run", true}}));
    const Ran dry = daemon.run({"load", "-f", file, "--dry-run", "--replace"});
    CHECK(dry.code == 0);
    CHECK(dry.out == "Service default/web created (dry run)\n");
    json body = daemon.requests()[0].second;
    CHECK(body["dry_run"] == true);
    CHECK(body["replace"] == true);
    daemon.answer("/v1/load", changed({{"reached", false}}));
    const Ran late = daemon.run({"load", "-f", file, "--wait=2"});
    CHECK(late.code == 1);
    CHECK(has(late.err, "generation 13 is not served yet"));
    CHECK(daemon.requests()[0].second["wait_ms"] == 2000);
    CHECK(daemon.run({"load", "-f", file}).code == 0);  // nobody waited
    daemon.answer("/v1/load", changed({{"not_good", {{{"object", {{"kind", "HTTPRoute"}, {"namespace", "shop"}, {"name", "cart"}}}, {"where", "parent edge"}, {"type", "ResolvedRefs"},
                                                      {"status", "False"}, {"reason", "BackendNotFound"}, {"message", "no\x1b[2Jsuch"}}}}}));
    const Ran bad = daemon.run({"load", "-f", file, "--wait"});
    CHECK(bad.code == 1);
    CHECK(has(bad.err, "HTTPRoute shop/cart   parent edge   ResolvedRefs=False   BackendNotFound   no?[2Jsuch"));
    daemon.answer("/v1/load", changed({{"errors", {{{"message", "socket tcp/1.2.3.4:80"}, {"caused_by", "Address already in use"}}}}}));
    const Ran failed = daemon.run({"load", "-f", file});
    CHECK(failed.code == 1);
    CHECK(has(failed.err, "error: socket tcp/1.2.3.4:80: Address already in use"));
    CHECK(json::parse(daemon.run({"load", "-f", file, "-o", "json"}).out)["generation"] == 13);
    CHECK(has(daemon.run({"load", "-f", file, "-o", "yaml"}).out, "generation: 13"));
}

TEST_CASE("gwctl apply: with a daemon it is load") {
    Daemon daemon;
    daemon.answer("/v1/load", changed());
    const Folder folder;
    const Ran ran = daemon.run({"apply", "-f", folder.write("a.yaml", kService), "--wait"});
    CHECK(ran.code == 0);
    CHECK(ran.out == "Service default/web created\n");
    CHECK(daemon.requests()[0].second["replace"] == false);
}

TEST_CASE("gwctl apply -n: a daemon takes the namespaces that the manifests name") {
    Daemon daemon;
    daemon.answer("/v1/load", changed());
    const Folder folder;
    const Ran ran = daemon.run({"apply", "-n", "shop", "-f", folder.write("a.yaml", kService)});
    CHECK(ran.code == 3);
    CHECK(has(ran.err, "error: -n is for a cluster: a daemon takes the namespaces that the manifests name\n"));
    CHECK(daemon.requests().empty());
}

TEST_CASE("gwctl load: a refusal shows every diagnostic with file and line, and exits with 3") {
    Daemon daemon;
    const Folder folder;
    const std::string file = folder.write("a.yaml", "kind: [");
    daemon.answer("/v1/load", {{"error", {{"code", "invalid"}, {"message", "1 error in the manifests"}, {"caused_by", ""}, {"hint", "nothing was changed"}}},
                               {"diagnostics", {{{"severity", "error"}, {"file", "a.yaml"}, {"line", 14}, {"path", "spec.listeners[1].port"}, {"message", "70000 is not a port"}}}}}, 422);
    const Ran ran = daemon.run({"load", "-f", file});
    CHECK(ran.code == 3);
    CHECK(ran.out.empty());
    CHECK(ran.err == "error: a.yaml:14: spec.listeners[1].port: 70000 is not a port\nerror: 1 error in the manifests\nhint: nothing was changed\n");
}

TEST_CASE("gwctl load: what cannot be read is named before anything is sent") {
    Daemon daemon;
    const Folder folder;
    folder.write("empty/readme.txt", "");
    folder.write("large.yaml", std::string((48U << 20) + 1, '#'));
    std::filesystem::create_symlink("nowhere", folder.file("dangling.yaml"));
    struct Row {
        std::string path;
        std::string want;
    };
    const Row rows[] = {
        {folder.file("absent.yaml"), "error: open " + folder.file("absent.yaml") + "\ncaused by: No such file or directory (ENOENT)\n"},
        {folder.file("dangling.yaml"), "caused by: No such file or directory (ENOENT)\n"},
        {folder.file("empty"), "error: the folder " + folder.file("empty") + " holds no manifests\nhint: they end in .yaml, .yml or .json\n"},
        {folder.write("binary.yaml", "a: \xff\xfe\n"), "binary.yaml: it is not UTF-8 text\n"},
        {folder.file("large.yaml"), "large.yaml: the manifests are larger than 48 MiB\nhint: "},
    };
    for (const Row& row : rows) {
        const Ran ran = daemon.run({"load", "-f", row.path});
        INFO(ran.err);
        CHECK(ran.code == 3);
        CHECK(has(ran.err, row.want));
    }
    CHECK(daemon.requests().empty());
}

TEST_CASE("gwctl delete: one object of what was loaded, by kind, namespace and name") {
    Daemon daemon;
    daemon.answer("/v1/delete", changed({{"changed", {{{"kind", "Service"}, {"namespace", "shop"}, {"name", "web"}, {"change", "removed"}}}}}));
    const Ran ran = daemon.run({"delete", "svc", "web", "-n", "shop", "--wait=1"});
    CHECK(ran.code == 0);
    CHECK(ran.out == "Service shop/web removed\n");
    CHECK(daemon.requests()[0].second == json({{"objects", {{{"kind", "Service"}, {"namespace", "shop"}, {"name", "web"}}}}, {"dry_run", false}, {"wait_ms", 1000}}));
    const Folder folder;
    const std::string file = folder.write("a.yaml", kService);
    CHECK(daemon.run({"delete", "-f", file}).code == 0);
    CHECK(daemon.requests()[0].second["objects"] == json({{{"kind", "Service"}, {"namespace", "default"}, {"name", "web"}}}));
    CHECK(daemon.run({"delete", "svc", "a", "b"}).code == 0);
    CHECK(daemon.requests()[0].second["objects"].size() == 2);
    daemon.answer("/v1/objects", {{"items", json::array({{{"metadata", {{"name", "web"}, {"annotations", {{"penstock.dev/source", "loaded: a.yaml"}}}}}},
                                                             {{"metadata", {{"name", "of-a-folder"}, {"annotations", {{"penstock.dev/source", "folder /m: a.yaml"}}}}}}})}});
    CHECK(daemon.run({"delete", "svc", "--all", "-n", "shop"}).code == 0);
    const auto asked = daemon.requests();
    CHECK(asked[0].first == "/v1/objects?kind=Service&namespace=shop");
    CHECK(asked[1].second["objects"] == json({{{"kind", "Service"}, {"namespace", "shop"}, {"name", "web"}}}));
    daemon.answer("/v1/objects", {{"items", json::array()}});
    const Ran none = daemon.run({"delete", "svc,gtw", "--all"});
    CHECK(none.code == 0);
    CHECK(none.err == "nothing found\n");
    CHECK(daemon.requests().size() == 2);
    daemon.run({"delete", "gatewayclass", "penstock"});
    CHECK(daemon.requests()[0].second["objects"][0]["namespace"] == "");
    daemon.answer("/v1/delete", {{"error", {{"code", "exists"}, {"message", "Service shop/web belongs to folder /m: a.yaml"}, {"hint", "take it out of that file"}}}}, 409);
    const Ran refused = daemon.run({"delete", "svc", "web", "-n", "shop"});
    CHECK(refused.code == 3);
    CHECK(refused.err == "error: Service shop/web belongs to folder /m: a.yaml\nhint: take it out of that file\n");
}

TEST_CASE("gwctl delete -f: the namespace of -n where an object names none, and objects of the daemon's kinds only") {
    struct Row {
        std::string text;
        std::vector<std::string> more;
        json object;       // what the daemon is asked to delete
        const char* says;  // else
    };
    const Row rows[] = {
        {kService, {}, {{"kind", "Service"}, {"namespace", "default"}, {"name", "web"}}, ""},
        {kService, {"-n", "other"}, {{"kind", "Service"}, {"namespace", "other"}, {"name", "web"}}, ""},
        {"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n", {"-n", "shop"}, {{"kind", "Service"}, {"namespace", "shop"}, {"name", "web"}}, ""},
        {"apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n", {"-n", "other"}, nullptr, "a.yaml:1: its namespace is shop, but -n says other"},
        {"apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: web}\n", {"-n", "other"}, {{"kind", "GatewayClass"}, {"namespace", ""}, {"name", "web"}}, ""},
        {"apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XListenerSet\nmetadata: {name: web}\n", {}, {{"kind", "ListenerSet"}, {"namespace", "default"}, {"name", "web"}}, ""},
        {"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n", {}, nullptr, "a.yaml:1: the daemon has no Service of serving.knative.dev/v1"},
        {"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n", {}, nullptr, "the daemon has no Deployment of apps/v1"},
    };
    Daemon daemon;
    daemon.answer("/v1/delete", changed());
    const Folder folder;
    for (const Row& row : rows) {
        std::vector<std::string> words = {"delete", "-f", folder.write("a.yaml", row.text)};
        words.insert(words.end(), row.more.begin(), row.more.end());
        const Ran ran = daemon.run(words);
        INFO(ran.err);
        CHECK(has(ran.err, row.says));
        CHECK(ran.code == (row.object.is_null() ? 3 : 0));
        const auto requests = daemon.requests();
        REQUIRE(requests.size() == (row.object.is_null() ? 0 : 1));
        if (!requests.empty()) {
            CHECK(requests[0].second["objects"] == json::array({row.object}));
        }
    }
}
