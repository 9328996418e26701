// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/cluster.hpp"

#include "ctl/model/store.hpp"
#include "ctl/model/value_text.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::source;
using model::Kind;

namespace {

const model::ObjectKey kShop{Kind::http_route, "default", "shop"};

// An HTTPRoute as an API server gives it. `more` goes into metadata, `rest` beside spec.
model::Value route(const std::string& version, const std::string& path, const std::string& more = "", const std::string& rest = "") {
    const std::string text = R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{"name":"shop","namespace":"default","uid":"u1","generation":1,)"
                             R"("creationTimestamp":"2026-01-02T03:04:05Z","resourceVersion":")" + version + "\"" + more +
                             R"(},"spec":{"parentRefs":[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"edge"}],"rules":[{"matches":[{"path":{"type":"PathPrefix","value":")" +
                             path + R"("}}]}]})" + rest + "}";
    auto value = model::parse_json(text);
    REQUIRE(value.ok());
    return std::move(value).value();
}

kubeapi::News news(Kind kind, std::vector<kubeapi::Batch::Change> changes, bool all = false) {
    return {.kind = kind, .resource = {.api_version = "v1", .kind = "K", .plural = "ks"}, .batch = {.all = all, .changes = std::move(changes)},
            .state = {.api_version = "v1", .synced = true}};
}

Cluster::Changed apply(Cluster& cluster, std::vector<kubeapi::Batch::Change> changes, bool all = false) {
    return cluster.apply(read_news(news(Kind::http_route, std::move(changes), all)));
}

std::string path_of(const Cluster& cluster) {
    return cluster.find(kShop) != nullptr ? model::body_of<model::HttpRoute>(*cluster.find(kShop)->object)->rules[0].matches[0].path.value : "gone";
}

}  // namespace

TEST_CASE("cluster: of a Gateway's status the addresses matter, and junk in their place is none") {
    Cluster cluster("test");
    const auto gateway = [&](const std::string& version, const std::string& status) {
        auto value = model::parse_json(R"({"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{"name":"edge","namespace":"a","uid":"u","generation":1,"resourceVersion":")" + version +
                                       R"("},"spec":{"gatewayClassName":"x","listeners":[{"name":"h","port":80,"protocol":"HTTP"}]},"status":)" + status + "}");
        REQUIRE(value.ok());
        return cluster.apply(read_news(news(Kind::gateway, {{std::move(value).value()}}))).content;
    };
    struct Row {
        const char* status;
        bool matters;
        const char* want;
    };
    const Row rows[] = {
        {R"({})", true, ""},  // it is new
        {R"({"addresses":[{"type":"IPAddress","value":"10.0.0.1"},{"value":"fd00::1"}]})", true, "10.0.0.1 fd00::1 "},
        {R"({"addresses":[{"type":"IPAddress","value":"10.0.0.1"},{"value":"fd00::1"}],"conditions":[]})", false, "10.0.0.1 fd00::1 "},
        {R"({"addresses":[7,null,{"value":{}},{"type":"Hostname","value":"a.example"},{"value":"10.0.0.2"}]})", true, "10.0.0.2 "},
        {R"({"addresses":"10.0.0.2"})", true, ""},
        {R"({"addresses":[{"value":"10.0.0.2"}]})", true, "10.0.0.2 "},
    };
    int version = 0;
    for (const Row& row : rows) {
        INFO(row.status);
        CHECK(gateway(std::to_string(++version), row.status) == row.matters);
        std::string text;
        for (const auto& [name, list] : cluster.addresses()) {
            CHECK(name == "Gateway/a/edge");
            for (const IpAddress& ip : list) {
                text += ip.text() + " ";
            }
        }
        CHECK(text == row.want);
    }
    const model::ObjectKey key{Kind::gateway, "a", "edge"};
    cluster.wrote(key, std::to_string(++version), R"({"addresses":[{"value":"10.0.0.3"}]})");
    CHECK(cluster.addresses().at("Gateway/a/edge").front().text() == "10.0.0.3");
    CHECK_FALSE(gateway(std::to_string(version), R"({"addresses":[{"value":"10.0.0.3"}]})"));
    cluster.apply(read_news(news(Kind::gateway, {}, true)));
    CHECK(cluster.addresses().empty());
}

TEST_CASE("cluster: only what we read makes work; a status, managed fields and the kubectl's copy do not") {
    Cluster cluster("test");
    apply(cluster, {}, true);
    CHECK(apply(cluster, {{route("1", "/a")}}).content);
    const model::ObjectPtr first = cluster.find(kShop)->object;
    struct Row {
        const char* what;
        model::Value value;
        bool matters;
    };
    const Row rows[] = {
        {"a status", route("2", "/a", "", R"(,"status":{"parents":[]})"), false},
        {"managed fields", route("3", "/a", R"(,"managedFields":[{"manager":"x"}])"), false},
        {"a copy in an annotation", route("4", "/a", R"(,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}"})"), false},
        {"another copy", route("5", "/a", R"(,"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{ }"})"), false},
        {"a label", route("6", "/a", R"(,"labels":{"a":"b"})"), true},
        {"a path", route("7", "/b", R"(,"labels":{"a":"b"})"), true},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        const auto changed = apply(cluster, {{row.value}});
        CHECK(changed.content == row.matters);
        CHECK(changed.statuses == std::vector{kShop});
    }
    CHECK(cluster.find(kShop)->version == "7");
    CHECK(cluster.events() == 7);
    CHECK(cluster.events_that_mattered() == 3);
    CHECK(first->raw.rest.find("status") == std::string::npos);
    CHECK(apply(cluster, {{route("7", "/b", R"(,"labels":{"a":"b"})")}}).statuses.empty());
}

TEST_CASE("cluster: of core objects only what we read makes work, whatever others write into them") {
    struct Row {
        const char* what;
        Kind kind;
        const char* more;  // of metadata
        const char* rest;
        bool matters;
    };
    const Row rows[] = {
        {"a Service", Kind::service, "", R"("spec":{"selector":{"a":"b"},"ports":[{"port":80}]})", true},
        {"another selector", Kind::service, "", R"("spec":{"selector":{"a":"c"},"ports":[{"port":80}]})", false},
        {"sessions that kube-proxy holds", Kind::service, "", R"("spec":{"selector":{"a":"c"},"sessionAffinity":"ClientIP","ports":[{"port":80}]})", false},
        {"somebody's annotation", Kind::service, R"(,"annotations":{"example.com/seen":"1"})", R"("spec":{"ports":[{"port":80}]})", false},
        {"one of ours", Kind::service, R"(,"annotations":{"example.com/seen":"1","penstock.dev/balance":"hash"})", R"("spec":{"ports":[{"port":80}]})", true},
        {"another generation", Kind::service, R"(,"generation":7,"annotations":{"penstock.dev/balance":"hash"})", R"("spec":{"ports":[{"port":80}]})", false},
        {"a port", Kind::service, R"(,"annotations":{"penstock.dev/balance":"hash"})", R"("spec":{"ports":[{"port":81}]})", true},
        {"external addresses", Kind::service, R"(,"annotations":{"penstock.dev/balance":"hash"})", R"("spec":{"externalIPs":["192.0.2.1"],"ports":[{"port":81}]})", true},
        {"an EndpointSlice", Kind::endpoint_slice, "", R"("addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"]}])", true},
        {"hints", Kind::endpoint_slice, R"(,"generation":2)", R"("addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"z"}]}}])", false},
        {"an endpoint that ends", Kind::endpoint_slice, "", R"("addressType":"IPv4","endpoints":[{"addresses":["10.0.0.1"],"conditions":{"terminating":true}}])", true},
        {"a ConfigMap", Kind::config_map, "", R"("data":{"a":"b"})", true},
        {"an election in it", Kind::config_map, R"(,"annotations":{"control-plane.alpha.kubernetes.io/leader":"x"})", R"("data":{"a":"b"})", false},
        {"its data", Kind::config_map, "", R"("data":{"a":"c"})", true},
        {"a Secret", Kind::secret, "", R"("type":"Opaque","data":{"a":"Yg=="})", true},
        {"its annotation", Kind::secret, R"(,"annotations":{"cert-manager.io/issuer":"x"})", R"("type":"Opaque","data":{"a":"Yg=="})", false},
        {"its data", Kind::secret, "", R"("type":"Opaque","data":{"a":"Yw=="})", true},
        {"a Namespace", Kind::namespace_, "", R"("spec":{})", true},
        {"its annotation", Kind::namespace_, R"(,"annotations":{"a":"b"})", R"("spec":{})", false},
        {"its label", Kind::namespace_, R"(,"labels":{"a":"b"})", R"("spec":{})", true},
    };
    Cluster cluster("test");
    int version = 0;
    for (const Row& row : rows) {
        INFO(row.what);
        const model::KindInfo& kind = model::info(row.kind);
        const std::string group = kind.group.empty() ? "" : std::string(kind.group) + "/";
        auto value = model::parse_json(R"({"apiVersion":")" + group + R"(v1","kind":")" + std::string(kind.name) + R"(","metadata":{"name":"x",)" + (kind.namespaced ? R"("namespace":"default",)" : "") +
                                       R"("resourceVersion":")" + std::to_string(++version) + "\"" + row.more + "}," + row.rest + "}");
        REQUIRE(value.ok());
        cluster.apply(read_news(news(row.kind, {})));  // so that this one is not the first
        const auto changed = cluster.apply(read_news(news(row.kind, {{std::move(value).value()}})));
        CHECK(changed.content == row.matters);
        CHECK(cluster.given().diagnostics.empty());
    }
}

TEST_CASE("cluster: endpoints that are none are told, not taken for an empty list") {
    Cluster cluster("test");
    auto value = model::parse_json(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"x","namespace":"default","resourceVersion":"1"},"addressType":"IPv4","endpoints":"junk"})");
    REQUIRE(value.ok());
    cluster.apply(read_news(news(Kind::endpoint_slice, {{std::move(value).value()}}, true)));
    CHECK(cluster.given().objects.size() == 0);
    CHECK(cluster.given().diagnostics.size() == 1);
}

TEST_CASE("cluster: a list tells what watches missed, and what is newer than they were is not that") {
    struct Row {
        const char* what;
        const char* since;
        std::vector<kubeapi::Batch::Change> list;
        bool missed;
        bool vanished;
    };
    const Row rows[] = {
        {"as it was", "9", {{route("5", "/a")}}, false, false},
        {"changed after the watch was cut", "9", {{route("12", "/b")}}, false, false},
        {"changed before that", "9", {{route("8", "/b")}}, true, false},
        {"the newest that the watch told", "9", {{route("9", "/b")}}, true, false},
        {"a status only", "9", {{route("8", "/a", "", R"(,"status":{"parents":[]})")}}, false, false},
        {"the first list, or one that no watch was before", "", {{route("8", "/b")}}, false, false},
        {"gone", "9", {}, false, true},
    };
    for (const Row& row : rows) {
        INFO(row.what);
        Cluster cluster("test");
        apply(cluster, {{route("5", "/a")}}, true);
        kubeapi::News list = news(Kind::http_route, row.list, true);
        list.batch.since = row.since;
        const auto changed = cluster.apply(read_news(std::move(list)));
        CHECK(changed.missed == row.missed);
        CHECK(changed.vanished == row.vanished);
    }
}

TEST_CASE("cluster: events of one batch count in their order, and a new list takes out what is not in it") {
    Cluster cluster("test");
    apply(cluster, {{route("1", "/a")}}, true);
    apply(cluster, {{route("2", "/b")}, {route("3", "/b"), true}});
    CHECK(path_of(cluster) == "gone");
    apply(cluster, {{route("4", "/c")}, {route("5", "/c"), true}, {route("6", "/d")}});
    CHECK(path_of(cluster) == "/d");
    CHECK(apply(cluster, {}, true).content);
    CHECK(path_of(cluster) == "gone");
    CHECK_FALSE(apply(cluster, {}, true).content);
}

TEST_CASE("cluster: an object that we cannot read stays in its last good version and is told") {
    Cluster cluster("test");
    apply(cluster, {{route("1", "/a")}}, true);
    const auto changed = apply(cluster, {{route("2", "no path")}});
    CHECK(changed.content);
    CHECK(path_of(cluster) == "/a");
    CHECK(cluster.find(kShop)->version == "2");
    CHECK_FALSE(apply(cluster, {{route("2", "no path")}}, true).content);  // listed again
    bool told = false;
    for (const auto& diagnostic : cluster.given().diagnostics) {
        told = told || (diagnostic.name == "shop" && diagnostic.severity == model::Severity::error);
    }
    CHECK(told);
    CHECK(apply(cluster, {{route("3", "/a")}}).content);  // what it was: it is told no more
    apply(cluster, {{route("4", "/c")}});
    CHECK(path_of(cluster) == "/c");
    CHECK(cluster.given().diagnostics.empty());
}

TEST_CASE("cluster: it is ready when every kind was listed or is not there, and trouble later does not change that") {
    Cluster cluster("test");
    for (std::size_t i = 0; i < model::kKinds; ++i) {
        CHECK_FALSE(cluster.ready());
        CHECK(cluster.given().state == State::failed);
        const auto kind = static_cast<Kind>(i);
        kubeapi::News one = news(kind, {}, true);
        if (kind == Kind::tls_route) {
            one.resource = {};
            one.state = {.synced = true, .missing = true, .trouble = "no CRD"};
        }
        cluster.apply(read_news(std::move(one)));
    }
    CHECK(cluster.ready());
    CHECK(cluster.given().state == State::ok);
    CHECK(cluster.given().diagnostics.size() == 1);
    CHECK(cluster.resource(Kind::tls_route) == nullptr);
    kubeapi::News trouble = news(Kind::secret, {});
    trouble.state.trouble = "away";
    cluster.apply(read_news(std::move(trouble)));
    CHECK(cluster.ready());
    CHECK(cluster.given().state == State::degraded);
}

TEST_CASE("cluster: what we wrote counts before the watch tells it") {
    Cluster cluster("test");
    apply(cluster, {{route("1", "/a")}}, true);
    cluster.wrote(kShop, "5", R"({"parents":[]})");
    CHECK(cluster.find(kShop)->version == "5");
    CHECK(apply(cluster, {{route("3", "/b")}}).statuses.empty());  // an older event that was on its way
    CHECK(cluster.find(kShop)->version == "5");
    CHECK(path_of(cluster) == "/a");
    CHECK(apply(cluster, {{route("5", "/b", "", R"(,"status":{"parents":[]})")}}).content);
    CHECK(path_of(cluster) == "/b");
    apply(cluster, {{route("12", "/b")}});
    cluster.wrote(kShop, "9", "");  // an answer that was late
    CHECK(cluster.find(kShop)->version == "12");
}
