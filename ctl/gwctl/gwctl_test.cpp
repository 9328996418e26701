// SPDX-License-Identifier: Apache-2.0
// The program as a user runs it: what it asks, what it prints where, and how it exits.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/testing.hpp"

using namespace penstock::gwctl::testing;
using json = nlohmann::json;

namespace {

const json kGateway = json::parse(R"({
  "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
  "metadata": {"name": "edge", "namespace": "default", "generation": 3, "creationTimestamp": "2020-01-02T03:04:05Z",
               "annotations": {"penstock.dev/source": "loaded: quickstart.yaml"}},
  "spec": {"gatewayClassName": "penstock", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
  "status": {"addresses": [{"type": "IPAddress", "value": "198.51.100.10"}],
             "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""},
                            {"type": "Programmed", "status": "False", "reason": "AddressNotUsable", "message": "198.51.100.10 is not ours"}],
             "listeners": [{"name": "http", "attachedRoutes": 2, "conditions": [{"type": "Conflicted", "status": "False", "reason": "NoConflicts", "message": ""}]}]}})");

const json kRoute = json::parse(R"({
  "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop", "namespace": "default"},
  "spec": {"hostnames": ["a.example", "b.example"], "parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]},
  "status": {"parents": [{"parentRef": {"name": "edge", "sectionName": "http"},
                          "conditions": [{"type": "Accepted", "status": "True", "reason": "Accepted"},
                                         {"type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound", "message": "Service default/web does not exist"}]}]}})");

json list_of(std::vector<json> items) { return {{"apiVersion", "v1"}, {"kind", "List"}, {"items", std::move(items)}}; }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string line_with(const std::string& text, const std::string& part) {
    const std::size_t at = text.find(part);
    if (at == std::string::npos) {
        return "";
    }
    const std::size_t begin = at == 0 ? 0 : text.rfind('\n', at) + 1;
    return text.substr(begin, text.find('\n', at) - begin);
}

constexpr const char* kService = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - {name: http, port: 80}\n";

}  // namespace

TEST_CASE("gwctl get: a table of the kind's columns, sorted as the daemon sorts") {
    Daemon daemon;
    daemon.answer("/v1/objects", list_of({kGateway}));
    const Ran ran = daemon.run({"get", "gateways"});
    CHECK(ran.code == 0);
    CHECK(ran.err.empty());
    CHECK(line_with(ran.out, "NAME") == "NAME   CLASS      ADDRESSES       PROGRAMMED         LISTENERS   ROUTES   AGE");
    CHECK(line_with(ran.out, "edge").starts_with("edge   penstock   198.51.100.10   AddressNotUsable   1           2        "));
    CHECK(daemon.requests()[0].first == "/v1/objects?kind=Gateway&namespace=default");
    daemon.run({"get", "gtw,httproutes", "a&b c", "-n", "x/y"});
    CHECK(daemon.requests()[0].first == "/v1/objects?kind=Gateway&namespace=x%2Fy&name=a%26b%20c");
    daemon.run({"get", "gatewayclasses", "-n", "shop"});
    CHECK(daemon.requests()[0].first == "/v1/objects?kind=GatewayClass");  // no namespace has them
}

TEST_CASE("gwctl get: all namespaces, several kinds, json and yaml") {
    Daemon daemon;
    daemon.answer("/v1/objects", list_of({kGateway, kRoute}));
    const Ran all = daemon.run({"get", "gateways", "-A"});
    CHECK(line_with(all.out, "NAMESPACE").starts_with("NAMESPACE   NAME (Gateway)   CLASS"));
    CHECK(line_with(all.out, "shop").starts_with("default     shop               a.example,b.example   edge      True       BackendNotFound   -"));
    CHECK(json::parse(daemon.run({"get", "gateways", "-o", "json"}).out)["items"][1]["metadata"]["name"] == "shop");
    CHECK(has(daemon.run({"get", "gateways", "-o", "yaml"}).out, "kind: List"));
    daemon.answer("/v1/objects", list_of({kGateway}));
    CHECK(json::parse(daemon.run({"get", "gateways", "edge", "-o", "json"}).out)["kind"] == "Gateway");
}

TEST_CASE("gwctl get and describe: what is not there is no, not a failure") {
    Daemon daemon;
    daemon.answer("/v1/objects", list_of({}));
    const Ran get = daemon.run({"get", "gateways", "-n", "shop"});
    CHECK(get.code == 1);
    CHECK(get.out.empty());
    CHECK(has(get.err, "nothing found in the namespace shop (-A looks into all)"));
    const Ran describe = daemon.run({"describe", "gateway", "edge"});
    CHECK(describe.code == 1);
    CHECK(has(describe.err, "error: there is no gateway edge in the namespace default (-A looks into all)\nhint: "));
}

TEST_CASE("gwctl describe: conditions with reason and message, where it is from, what refers to it, its spec") {
    Daemon daemon;
    json elsewhere = kRoute;
    elsewhere["metadata"]["namespace"] = "other";  // its parent is another Gateway
    elsewhere["metadata"]["name"] = "stranger";
    daemon.answer("/v1/objects", list_of({kGateway, kRoute, elsewhere}));
    const Ran ran = daemon.run({"describe", "gateway", "edge"});
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "Gateway default/edge\n  from        loaded: quickstart.yaml\n  generation  3\n  created     2020-01-02T03:04:05Z ("));
    CHECK(line_with(ran.out, "AddressNotUsable") == "-               Programmed   False    AddressNotUsable   198.51.100.10 is not ours");
    CHECK(line_with(ran.out, "Conflicted").starts_with("listener http"));
    const std::string referrers = ran.out.substr(ran.out.find("REFERRED"), ran.out.find("spec\n") - ran.out.find("REFERRED"));
    CHECK(has(referrers, "HTTPRoute        default     shop"));
    CHECK_FALSE(has(referrers, "stranger"));
    CHECK(has(ran.out, "\nspec\ngatewayClassName: penstock\n"));
    CHECK(has(ran.out, "parent edge/http"));
}

TEST_CASE("gwctl: no daemon, a dead daemon's socket, a socket that is not ours, and nonsense are errors with cause and hint") {
    const Folder nothing;
    const Ran none = gwctl({"get", "gateways", "--state-dir", nothing.path()});
    CHECK(none.code == 3);
    CHECK(none.out.empty());
    CHECK(none.err == "error: reach penstockd at " + nothing.path() + "/control.sock\ncaused by: No such file or directory (ENOENT)\n" +
                          "hint: no daemon runs with this state folder: --state-dir names another; get, describe, analyze, apply and delete take --kubernetes for a cluster\n");

    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s/control.sock", nothing.path().c_str());
    const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const Ran refused = gwctl({"status", "--state-dir", nothing.path()});
    CHECK(refused.code == 3);
    CHECK(has(refused.err, "error: reach penstockd at "));
    CHECK(has(refused.err, "hint: the daemon that made it does not run any more"));
    ::close(dead);

    Daemon daemon;
    daemon.answer_text("/v1/objects", "<html>");
    const Ran nonsense = daemon.run({"get", "gateways"});
    CHECK(nonsense.code == 3);
    CHECK(has(nonsense.err, "is not in the form of its API"));
    daemon.answer_text("/v1/objects", "[]");
    CHECK(daemon.run({"get", "gateways"}).code == 3);
}

TEST_CASE("gwctl: a socket that one may not use is told so") {
    if (::geteuid() != 0) {
        WARN("needs root to become somebody else");
        return;
    }
    Daemon daemon;
    REQUIRE(::chmod(daemon.folder.file("control.sock").c_str(), 0660) == 0);
    REQUIRE(::chmod(daemon.folder.path().c_str(), 0755) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        // As a child of its own: the user cannot be taken back.
        const bool left = ::setresgid(65534, 65534, 65534) == 0 && ::setresuid(65534, 65534, 65534) == 0;
        const penstock::gwctl::Client client(daemon.folder.path());
        const auto reply = client.get("/v1/status");
        ::_exit(left && !reply.ok() && reply.error().code == penstock::Errc::denied && has(reply.error().hint, "root") ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("gwctl: a daemon of another API version is told by name") {
    Daemon daemon;
    daemon.answer("/v1/version", {{"error", {{"code", "not_found"}, {"message", "/v1/version is not a path of this API"}}}}, 404);
    for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"status"}, {"get", "gateways"}, {"delete", "service", "web"}}) {
        const Ran ran = daemon.run(command);
        CHECK(ran.code == 3);
        CHECK(has(ran.err, "does not speak version 1 of the control API"));
        CHECK(has(ran.err, "hint: use the gwctl that came with it"));
    }
}

TEST_CASE("gwctl: an answer that lacks what we know, or holds more, is shown as far as it goes") {
    Daemon daemon;
    daemon.answer("/v1/status", {{"processes", 7}, {"listeners", {{{"name", 5}, {"connections", "x"}}}}, {"novelty", true}});
    const Ran ran = daemon.run({"status"});
    CHECK(ran.code == 0);
    CHECK(has(ran.out, "generation  wanted -, applied -, served -"));
    daemon.answer("/v1/objects", list_of({json::object(), {{"kind", "Gateway"}, {"spec", 3}}, {{"kind", "Service"}, {"spec", {{"ports", {1}}}}}}));
    CHECK(daemon.run({"get", "gateways"}).code == 0);
    CHECK(daemon.run({"describe", "gateway", "x"}).code == 0);
}

TEST_CASE("gwctl status: processes, data path and why, generation, listeners, drops with counts, sources, errors") {
    Daemon daemon;
    json status = json::parse(R"({
      "version": "0.1.0", "uptime_ms": 81234, "generation": {"wanted": 12, "applied": 12, "taken": 11}, "kernel": {"release": "6.18.44", "rungs": [{"name": "ktls", "since": "5.15", "what": "TLS records in the kernel", "works": false, "detail": "no module"}]},
      "processes": [{"name": "penstock-keeper", "pid": 1, "state": "running", "restarts": 0, "detail": ""},
                    {"name": "penstock-worker", "pid": 9, "state": "active", "restarts": 2, "generation": 11, "detail": "io_uring, confined by seccomp"}],
      "datapath": {"in_use": "userspace", "wanted": "auto", "reason": "load the programs: no CAP_BPF", "interfaces": [{"name": "eth0", "attach": "native", "tc": true, "reason": ""}]},
      "addresses": [{"address": "192.0.2.10", "interface": "eth0", "state": "present", "detail": ""}],
      "listeners": [{"name": "Gateway/default/edge/http", "mode": "Http", "way": "worker", "connections": 900, "requests": 8000, "bytes_in": 1, "bytes_out": 2}],
      "counters": {"verdicts": [{"name": "DROP_NO_BACKEND", "count": 5, "text": "listener has no ready backend"}, {"name": "FORWARD", "count": 0, "text": "forwarded"}],
                   "worker": {"tls_own_total": 52, "tls_openssl_total": 1, "ktls_write_total": 50, "ktls_read_total": 48},
                   "reasons": [{"name": "no_route", "status": 404, "count": 3, "text": "no rule of the host's routes matches"}]},
      "sources": [{"name": "folder /m", "kind": "folder", "state": "ok", "objects": 14, "diagnostics": []}], "not_good": [], "errors": []})");
    daemon.answer("/v1/status", status);
    const Ran good = daemon.run({"status"});
    CHECK(good.code == 0);
    CHECK(good.err.empty());
    CHECK(has(good.out, "penstockd 0.1.0, up 81 s, kernel 6.18.44\ngeneration  wanted 12, applied 12, served 11\n"));
    CHECK(line_with(good.out, "penstock-worker") == "penstock-worker   9     active    2          11           io_uring, confined by seccomp");
    CHECK(has(good.out, "data path   userspace (asked for: auto): load the programs: no CAP_BPF\n"));
    CHECK(line_with(good.out, "eth0 ") == "eth0        native   yes");
    CHECK(line_with(good.out, "ktls") == "ktls     5.15    no      TLS records in the kernel   no module");
    CHECK(line_with(good.out, "192.0.2.10") == "192.0.2.10   eth0        present");
    CHECK(line_with(good.out, "Gateway/default/edge/http") == "Gateway/default/edge/http   Http   worker   900           8000       1          2");
    CHECK(has(good.out, "\nTLS records 52 connections by us (of these the kernel wrote for 50, read for 48), 1 by OpenSSL\n"));
    CHECK(line_with(good.out, "DROP_NO_BACKEND") == "DROP_NO_BACKEND   5       listener has no ready backend");
    CHECK_FALSE(has(good.out, "FORWARD"));  // has not happened
    CHECK(line_with(good.out, "no_route") == "no_route                3       no rule of the host's routes matches");
    CHECK(has(good.out, "source      folder /m: ok, 14 objects\n"));
    CHECK(json::parse(daemon.run({"status", "-o", "json"}).out) == status);
    CHECK_FALSE(has(good.out, "cluster"));

    json clustered = status;
    clustered["cluster"] = json::parse(R"({"server": "https://10.0.0.1:6443", "ready": false, "events": 898, "events_that_mattered": 675, "statuses_written": 223, "statuses_waiting": 1,
      "conflicts": 2, "writer": "node-1", "is_writer": false, "requests": 836, "requests_failed": 3, "requests_throttled": 4,
      "kinds": [{"kind": "HTTPRoute", "version": "gateway.networking.k8s.io/v1", "synced": true, "missing": false, "trouble": ""},
                {"kind": "TLSRoute", "version": "", "synced": true, "missing": true, "trouble": "x"},
                {"kind": "Secret", "version": "v1", "synced": false, "missing": false, "trouble": "list: forbidden"}]})");
    daemon.answer("/v1/status", clustered);
    const Ran follower = daemon.run({"status"});
    CHECK(has(follower.out, "\ncluster     https://10.0.0.1:6443: not every kind was listed yet\nwriter      node-1, another daemon: this one follows\n"
                            "events      898 heard, 675 mattered\nstatuses    223 written, 1 waiting, 2 conflicts\nrequests    836 sent, 3 failed, 4 throttled\n"));
    CHECK(line_with(follower.out, "HTTPRoute") == "HTTPRoute   gateway.networking.k8s.io/v1   followed");
    CHECK(line_with(follower.out, "TLSRoute") == "TLSRoute    -                              missing: its CRD is not installed");
    CHECK(line_with(follower.out, "Secret") == "Secret      v1                             not listed yet                      list: forbidden");
    CHECK_FALSE(has(follower.out, "NOT EVERYWHERE"));
    CHECK(follower.code == 0);
    json bare = clustered;
    bare["cluster"]["ready"] = true;
    bare["cluster"]["kinds"] = json::parse(R"([{"kind": "Gateway", "version": "", "synced": true, "missing": true, "trouble": "x"}, {"kind": "PenstockNode", "version": "", "synced": true, "missing": true, "trouble": "x"},
      {"kind": "Secret", "version": "v1", "synced": true, "missing": false, "trouble": ""}])");
    daemon.answer("/v1/status", bare);
    const Ran without_crds = daemon.run({"status"});
    CHECK(without_crds.code == 1);
    CHECK(has(without_crds.out, "\ncluster     https://10.0.0.1:6443: followed, but 2 kinds have no CRD\n"));
    CHECK(has(without_crds.out, "\nhint: the Gateway API's CRDs are not installed: docs/reference/kubernetes.md says how to\n"));
    CHECK_FALSE(has(follower.out, "hint: the Gateway API's"));
    json cut_off = clustered;
    cut_off["sources"] = json::parse(R"([{"name": "cluster https://10.0.0.1:6443", "kind": "cluster", "state": "ok", "objects": 14, "diagnostics": []}])");
    cut_off["errors"] = {{{"time", "2026-11-26T10:00:00Z"}, {"message", "be or find the writer of statuses: get the Lease"}, {"caused_by", "connection refused"}, {"solved", false}}};
    daemon.answer("/v1/status", cut_off);
    const Ran alone = daemon.run({"status"});
    CHECK(has(alone.out, "\nwriter      nobody that is known of: the Lease, last of node-1, can be neither read nor renewed since 2026-11-26T10:00:00Z\n"));
    CHECK(has(alone.out, "\nsource      cluster https://10.0.0.1:6443: ok, 14 objects, as they were read: its API server is in trouble since 2026-11-26T10:00:00Z\n"));
    clustered["cluster"]["is_writer"] = true;
    clustered["cluster"]["nodes"] = json::parse(R"({"followed": true, "written": 3,
      "nodes": [{"name": "node-1", "reports": true, "taken": 2, "refused": 0, "behind": 0}, {"name": "node-2", "reports": false, "taken": 0, "refused": 0, "behind": 2}],
      "open": [{"object": "Gateway/shop/edge", "generation": 4, "nodes": 2, "behind": ["node-2"], "refused": [], "nowhere": ["192.0.2.7"]}]})");
    daemon.answer("/v1/status", clustered);
    const Ran writer = daemon.run({"status"});
    CHECK(has(writer.out, "writer      node-1, this daemon\n"));
    CHECK(line_with(writer.out, "node-1   yes") == "node-1   yes       2       0         0");
    CHECK(line_with(writer.out, "node-2   no") == "node-2   no        0       0         2");
    CHECK(line_with(writer.out, "Gateway/shop/edge") == "Gateway/shop/edge   4            2       node-2        -            192.0.2.7");

    json degraded = status;
    degraded["sources"][0]["state"] = "degraded";
    degraded["sources"][0]["diagnostics"] = {{{"severity", "error"}, {"file", "a.yaml"}, {"line", 3}, {"path", ""}, {"message", "wrong"}}};
    daemon.answer("/v1/status", degraded);
    const Ran no = daemon.run({"status"});
    CHECK(no.code == 1);
    CHECK(no.err == "error: a.yaml:3: wrong\n");
    status["errors"] = {{{"message", "socket tcp/1.2.3.4:80"}, {"caused_by", "Address already in use"}, {"hint", "another process listens there"}, {"solved", false}},
                        {{"message", "was long ago"}, {"solved", true}}};
    daemon.answer("/v1/status", status);
    const Ran error = daemon.run({"status"});
    CHECK(error.code == 1);
    CHECK(has(error.out, "\nerror: socket tcp/1.2.3.4:80\ncaused by: Address already in use\nhint: another process listens there\n"));
    CHECK_FALSE(has(error.out, "long ago"));
}

TEST_CASE("gwctl status --ready: the cluster was read once and a worker serves it; neither routes nor an API server that went away count") {
    Daemon daemon;
    const auto says = [&](const json& status) {
        daemon.answer("/v1/status", status);
        const Ran ran = daemon.run({"status", "--ready"});
        CHECK(ran.err.empty());
        return std::to_string(ran.code) + " " + ran.out;
    };
    const json serving = json::parse(R"({"generation": {"wanted": 12, "applied": 12, "taken": 12}, "cluster": {"ready": true},
      "processes": [{"name": "penstock-worker", "state": "standby"}, {"name": "penstock-worker", "state": "active"}]})");
    CHECK(says(serving) == "0 ready\n");
    CHECK(json::parse(daemon.run({"status", "--ready", "-o", "json"}).out) == json({{"ready", true}, {"why_not", ""}}));

    json of_a_folder = serving;
    of_a_folder["cluster"] = nullptr;
    CHECK(says(of_a_folder) == "0 ready\n");

    json troubled = serving;
    troubled["not_good"] = json::parse(R"([{"object": {"kind": "HTTPRoute", "namespace": "other", "name": "typo"}, "type": "ResolvedRefs", "status": "False", "reason": "BackendNotFound"}])");
    troubled["sources"] = json::parse(R"([{"name": "cluster", "kind": "cluster", "state": "degraded", "objects": 3, "diagnostics": [{"severity": "error", "message": "list: away"}]}])");
    troubled["errors"] = json::parse(R"([{"message": "look at the Lease", "caused_by": "connection refused", "solved": false}])");
    troubled["generation"]["wanted"] = 13;
    CHECK(says(troubled) == "0 ready\n");
    CHECK(daemon.run({"status"}).code == 1);

    json begins = serving;
    begins["cluster"]["ready"] = false;
    CHECK(says(begins) == "1 not ready: the cluster was not read yet\n");
    json unserved = serving;
    unserved["generation"]["taken"] = 0;
    CHECK(says(unserved) == "1 not ready: no generation of this daemon is served yet\n");
    json idle = serving;
    idle["processes"][1]["state"] = "draining";
    CHECK(says(idle) == "1 not ready: no worker is active\n");
    CHECK(says(json::object()) == "1 not ready: no worker is active\n");
    const Folder nothing;
    CHECK(gwctl({"status", "--ready", "--state-dir", nothing.path()}).code == 3);
}

TEST_CASE("gwctl version: of both, and without a daemon of one") {
    Daemon daemon;
    const Ran both = daemon.run({"version"});
    CHECK(both.code == 0);
    CHECK(has(both.out, "penstockd  0.9+gabc, control API [1], map layout 77\n"));
    CHECK(json::parse(daemon.run({"version", "-o", "json"}).out)["daemon"]["version"] == "0.9");
    const Folder nothing;
    const Ran alone = gwctl({"version", "--state-dir", nothing.path()});
    CHECK(alone.code == 0);
    CHECK(alone.out.starts_with("gwctl      "));
    CHECK(alone.err.starts_with("note: no daemon's version: reach penstockd"));
    CHECK(json::parse(gwctl({"version", "-o", "json", "--state-dir", nothing.path()}).out)["daemon"].is_null());
}

TEST_CASE("gwctl compile: offline, as text and as a document; errors and conditions that are not good are no") {
    const std::string quickstart = "../../configs/quickstart.yaml";
    const Ran ran = gwctl({"compile", "-f", quickstart});
    CHECK(ran.code == 0);
    CHECK(ran.err.empty());
    for (const char* part : {"edge", "shop", "vault", "database", "dns"}) {
        INFO(part);
        CHECK(has(ran.out, part));
    }
    const json document = json::parse(gwctl({"compile", quickstart, "-o", "json"}).out);
    CHECK(document["text"] == ran.out);
    CHECK(document["statuses"].size() > 3);
    CHECK(gwctl({"compile", "-f", quickstart, "--datapath", "userspace"}).out != ran.out);

    const std::string plain = "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: penstock}\nspec: {controllerName: "
                              "penstock.dev/gateway-controller}\n---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n"
                              "  gatewayClassName: penstock\n  listeners: [{name: http, port: 80, protocol: HTTP}]\n";
    CHECK(has(gwctl({"compile", "-"}, plain).err, "AddressNotAssigned"));
    const Ran placed = gwctl({"compile", "-", "--address", "192.0.2.7", "--address", "2001:db8::7"}, plain);
    CHECK(placed.code == 0);
    CHECK(has(placed.out, "192.0.2.7"));

    const Folder folder;
    const std::string broken = folder.write("broken.yaml", std::string(kService) + "---\nkind: Service\n  metadata: [\n");
    const Ran partly = gwctl({"compile", broken});
    CHECK(partly.code == 1);
    CHECK(has(partly.err, "error: " + broken + ":"));
    const Ran lost = gwctl({"compile", "-", "--address", "192.0.2.7"}, plain + "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: lost}\nspec:\n  parentRefs: [{name: edge}]\n"
                                            "  rules: [{backendRefs: [{name: nowhere, port: 80}]}]\n");
    CHECK(lost.code == 1);
    CHECK(has(line_with(lost.err, "BackendNotFound"), "HTTPRoute default/lost"));
    CHECK(has(lost.err, "nowhere"));
}
