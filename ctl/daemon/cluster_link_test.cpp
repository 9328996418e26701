// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/cluster_link.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#include "ctl/daemon/test_loop.hpp"
#include "ctl/kubeapi/test_client.hpp"
#include "tools/test/api_server.hpp"
#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::daemon;
using nlohmann::json;

namespace {

constexpr const char* kController = "penstock.dev/gateway-controller";
constexpr const char* kShop = "/apis/gateway.networking.k8s.io/v1/namespaces/default/httproutes/shop";

json route(const std::string& path) {
    return {{"apiVersion", "gateway.networking.k8s.io/v1"},
            {"kind", "HTTPRoute"},
            {"metadata", {{"name", "shop"}, {"namespace", "default"}}},
            {"spec", {{"parentRefs", json::array({{{"name", "edge"}}})}, {"rules", json::array({{{"matches", json::array({{{"path", {{"value", path}}}}})}}})}}}};
}

std::shared_ptr<const std::string> accepted(const std::string& value, int generation) {
    return std::make_shared<const std::string>(
        json{{"parents", json::array({{{"controllerName", kController},
                                       {"parentRef", {{"name", "edge"}}},
                                       {"conditions", json::array({{{"type", "Accepted"}, {"status", value}, {"observedGeneration", generation}, {"lastTransitionTime", "t"}}})}}})}}.dump());
}

// A link on a loop of its own thread.
struct Linked {
    test::ApiServer server;
    std::unique_ptr<Loop> loop;
    std::atomic<int> contents{0};
    std::unique_ptr<ClusterLink> link;
    std::thread thread;

    void start() {
        loop = std::move(Loop::open()).value();
        auto opened = ClusterLink::open(*loop, kubeapi::access_to(server.url()), kController, "node-1", {.content = [this] { ++contents; }, .trouble = [] {}});
        REQUIRE(opened.ok());
        link = std::move(opened).value();
        thread = std::thread([this] { loop->run(); });
    }
    ~Linked() { end(); }
    void end() {
        if (thread.joinable()) {
            loop->stop();
            thread.join();
            link.reset();
        }
    }
    // The answer of a question on the loop's thread.
    template <class Question>
    auto ask(Question question) {
        return testing::on_loop(*loop, question);
    }
    bool until(const std::function<bool()>& is) {
        for (int i = 0; i < 3000; ++i) {
            if (ask(is)) {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }
    void publish(const std::string& value, int generation) {
        ask([&] {
            status::Book::Published published;
            published.set("HTTPRoute/default/shop", accepted(value, generation));
            published.set("HTTPRoute/default/of-a-file", accepted(value, generation));
            link->publish(published);
            return true;
        });
    }
    [[nodiscard]] std::string status_of_shop() {
        const json status = server.get(kShop).value("status", json::object());
        std::string out;
        for (const json& parent : status.value("parents", json::array())) {
            out += parent.value("controllerName", "") + "=" + (parent["conditions"].empty() ? "" : parent["conditions"][0].value("status", "")) + " ";
        }
        return out;
    }
};

}  // namespace

TEST_CASE("cluster link: objects come, statuses go, and what others wrote stays") {
    Linked linked;
    linked.server.put(route("/a"));
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    CHECK(linked.ask([&] { return linked.link->given().objects.size(); }) == 1);
    linked.publish("True", 1);
    REQUIRE(linked.until([&] { return linked.status_of_shop() == std::string(kController) + "=True "; }));

    // Somebody adds an entry of theirs and spoils ours.
    json spoiled = linked.server.get(kShop);
    const json foreign = {{"controllerName", "example.com/other"}, {"parentRef", {{"name", "x"}}}, {"conditions", json::array({{{"type", "Z"}, {"status", "Odd"}, {"lastTransitionTime", "t"}}})}};
    spoiled["status"]["parents"] = json::array({foreign});
    linked.server.put(spoiled);
    REQUIRE(linked.until([&] { return linked.status_of_shop() == "example.com/other=Odd " + std::string(kController) + "=True "; }));
    CHECK(linked.server.get(kShop)["status"]["parents"][0] == foreign);
    CHECK(linked.until([&] { return linked.link->facts()["statuses_written"] == 2; }));
    CHECK(linked.ask([&] { return linked.link->facts(); })["ready"] == true);
}

TEST_CASE("cluster link: our own writes make no work") {
    Linked linked;
    linked.server.put(route("/a"));
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    const int before = linked.contents;
    const auto mattered = linked.ask([&] { return linked.link->facts()["events_that_mattered"].get<int>(); });
    linked.publish("True", 1);
    REQUIRE(linked.until([&] { return linked.link->facts()["statuses_waiting"] == 0 && !linked.status_of_shop().empty(); }));
    linked.server.put(route("/b"));
    REQUIRE(linked.until([&] { return linked.contents == before + 1; }));
    CHECK(linked.ask([&] { return linked.link->facts()["events_that_mattered"].get<int>(); }) == mattered + 1);
}

TEST_CASE("cluster link: statuses get through a server that refuses, throttles and cuts its watches") {
    Linked linked;
    linked.server.put(route("/a"));
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    linked.server.fail("/status", 500, 2);
    linked.server.fail("/status", 429, 1, "1");
    linked.server.cut_watches(true);
    linked.publish("False", 1);
    REQUIRE(linked.until([&] { return linked.status_of_shop() == std::string(kController) + "=False "; }));
    REQUIRE(linked.until([&] { return linked.link->troubles().empty(); }));
}

TEST_CASE("cluster link: whoever writes gives that up at its end, though its Lease was written to meanwhile") {
    constexpr const char* kLease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/penstock-status";
    Linked linked;
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->facts()["is_writer"] == true; }));
    linked.ask([&] {  // as a renewal does whose answer is not heard any more
        json lease = linked.server.get(kLease);
        lease["spec"]["renewTime"] = "2026-01-01T00:00:00.000000Z";
        linked.server.put(lease);
        linked.loop->stop();
        return true;
    });
    linked.end();
    CHECK(linked.server.get(kLease)["spec"]["holderIdentity"] == "");
}

TEST_CASE("cluster link: an API server that is away is trouble, and nobody waits for it") {
    Linked linked;
    linked.server.fail("/", 503, 1000000);
    linked.start();
    REQUIRE(linked.until([&] { return !linked.link->troubles().empty(); }));
    CHECK_FALSE(linked.ask([&] { return linked.link->ready(); }));
    CHECK(linked.ask([&] { return linked.link->given().state; }) == source::State::failed);
}

TEST_CASE("cluster link: an API server that goes away is one trouble, however many kinds are followed") {
    Linked linked;
    linked.server.put(route("/a"));
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    linked.server.fail("/", 503, 1000000);
    linked.server.cut_watches(false);
    const std::string follow = "follow " + linked.server.url();
    CHECK(linked.until([&] {
        std::vector<Trouble> of_kinds = linked.link->troubles();
        std::erase_if(of_kinds, [&](const Trouble& one) { return one.what.find(linked.server.url()) == std::string::npos; });
        return of_kinds.size() == 1 && of_kinds[0].what == follow && of_kinds[0].error.context.empty();  // of every kind
    }));
}

TEST_CASE("cluster link: a Gateway gets a Service of its addresses, again if somebody deletes it, and nobody's is taken over") {
    Linked linked;
    const json gateway = {{"apiVersion", "gateway.networking.k8s.io/v1"},
                          {"kind", "Gateway"},
                          {"metadata", {{"name", "edge"}, {"namespace", "default"}}},
                          {"spec", {{"gatewayClassName", "penstock"},
                                    {"infrastructure", {{"labels", {{"team", "shop"}}}, {"annotations", {{"note", "x"}}}}},
                                    {"listeners", json::array({{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}, {{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}}})}}}};
    const std::string service = "/api/v1/namespaces/default/services/edge-penstock";
    linked.server.put(gateway);
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    const auto publish = [&](const std::string& address, int attached = 0) {
        const json status = {{"addresses", json::array({{{"type", "IPAddress"}, {"value", address}}})},
                             {"listeners", json::array({{{"name", "http"}, {"attachedRoutes", attached}}})}};
        linked.ask([&] {
            status::Book::Published published;
            published.set("Gateway/default/edge", std::make_shared<const std::string>(status.dump()));
            linked.link->publish(published);
            return true;
        });
    };
    publish("192.0.2.1");
    REQUIRE(linked.until([&] { return !linked.server.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/edge-penstock-ipv4").is_null() && !linked.server.get(service).is_null(); }));
    const json made = linked.server.get(service);
    CHECK(made["metadata"]["labels"]["team"] == "shop");
    CHECK(made["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"] == "edge");
    CHECK(made["metadata"]["annotations"]["note"] == "x");
    CHECK(made["metadata"]["ownerReferences"][0]["name"] == "edge");
    CHECK(made["spec"]["ports"].size() == 2);
    const json slice = linked.server.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/edge-penstock-ipv4");
    CHECK(slice["endpoints"][0]["addresses"][0] == "192.0.2.1");
    CHECK(slice["metadata"]["labels"]["kubernetes.io/service-name"] == "edge-penstock");

    // Routes come and go: the Service has no part in that.
    const auto edge_status = [&] { return linked.server.get("/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/edge")["status"]; };
    REQUIRE(linked.until([&] { return linked.link->facts()["objects_applied"] == 3; }));
    publish("192.0.2.1", 7);
    REQUIRE(linked.until([&] { return edge_status()["listeners"][0]["attachedRoutes"] == 7; }));
    CHECK(linked.server.requests("fieldManager=penstock") == 3);

    linked.server.answer_late("/services/");
    linked.server.remove(service);
    REQUIRE(linked.until([&] { return !linked.server.get(service).is_null(); }));

    json theirs = made;
    theirs["metadata"]["labels"] = json::object();
    linked.server.put(theirs);
    REQUIRE(linked.until([&] {
        const auto objects = linked.link->given().objects;
        return std::any_of(objects.begin(), objects.end(), [](const auto& one) { return one.first.name == "edge-penstock" && one.second->meta.labels.empty(); });
    }));
    publish("192.0.2.2");
    REQUIRE(linked.until([&] { return !linked.link->troubles().empty(); }));
    linked.server.answer_late("");  // that it had been applied before is no news of what is there now
    REQUIRE(linked.until([&] { return linked.link->facts()["objects_applied"] == linked.server.requests("fieldManager=penstock"); }));
    CHECK_FALSE(linked.ask([&] { return linked.link->troubles().empty(); }));
    CHECK(linked.server.get(service)["metadata"]["labels"].empty());
    const unsigned applied = linked.server.requests("/endpointslices/edge-penstock-ipv4?");
    linked.server.put(route("/a"));
    REQUIRE(linked.until([&] { return linked.link->given().objects.contains(model::ObjectKey{model::Kind::http_route, "default", "shop"}); }));
    CHECK(linked.server.requests("/endpointslices/edge-penstock-ipv4?") == applied);  // what is seen of ours makes no work

    linked.server.remove(service);  // as the trouble's hint says
    REQUIRE(linked.until([&] { return !linked.server.get(service).is_null() && linked.link->troubles().empty(); }));
    CHECK(linked.server.get(service)["metadata"]["labels"]["team"] == "shop");
}

TEST_CASE("cluster link: what could not be applied is tried again, and is forgotten with its Gateway") {
    Linked linked;
    const json gateway = {{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "Gateway"}, {"metadata", {{"name", "edge"}, {"namespace", "default"}}},
                          {"spec", {{"gatewayClassName", "penstock"}, {"listeners", json::array({{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}})}}}};
    const std::string service = "/api/v1/namespaces/default/services/edge-penstock";
    linked.server.put(gateway);
    linked.server.fail("/services/", 500, 1);
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    const auto publish = [&](bool ours) {
        linked.ask([&] {
            status::Book::Published published;
            if (ours) {
                published.set("Gateway/default/edge", std::make_shared<const std::string>(R"({"addresses":[]})"));
            }
            linked.link->publish(published);
            return true;
        });
    };
    publish(true);
    REQUIRE(linked.until([&] { return !linked.link->troubles().empty(); }));
    REQUIRE(linked.until([&] { return !linked.server.get(service).is_null() && linked.link->troubles().empty(); }));
    linked.server.fail("/services/", 403, 1000);
    linked.server.remove(service);
    REQUIRE(linked.until([&] { return !linked.link->troubles().empty(); }));
    publish(false);
    CHECK(linked.ask([&] { return linked.link->troubles().empty(); }));
}

TEST_CASE("cluster link: what was made for a Gateway that another class takes is deleted, and nothing else") {
    Linked linked;
    const std::string services = "/api/v1/namespaces/default/services/", slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/";
    const auto gateway = [](const std::string& name, const std::string& of_class) {
        return json{{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "Gateway"}, {"metadata", {{"name", name}, {"namespace", "default"}}},
                    {"spec", {{"gatewayClassName", of_class}, {"listeners", json::array({{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}})}}}};
    };
    for (const auto& [name, controller] : {std::pair("ours", kController), {"theirs", "example.com/other"}}) {
        linked.server.put({{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "GatewayClass"}, {"metadata", {{"name", name}}}, {"spec", {{"controllerName", controller}}}});
    }
    linked.server.put(gateway("edge", "ours"));
    linked.server.put(gateway("stays", "ours"));
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    const auto publish = [&](const std::vector<std::string>& names) {
        linked.ask([&] {
            status::Book::Published published;
            for (const std::string& name : names) {
                published.set("Gateway/default/" + name, std::make_shared<const std::string>(R"({"addresses":[{"type":"IPAddress","value":"192.0.2.1"}]})"));
            }
            linked.link->publish(published);
            return true;
        });
    };
    publish({"edge", "stays"});
    const std::vector<std::string> made = {services + "edge-penstock", slices + "edge-penstock-ipv4", slices + "edge-penstock-ipv6"};
    const auto there = [&](const std::string& path) { return !linked.server.get(path).is_null(); };
    REQUIRE(linked.until([&] { return std::all_of(made.begin(), made.end(), there) && there(services + "stays-penstock"); }));

    // Like ours, but for one thing each.
    const json like = linked.server.get(services + "edge-penstock");
    const auto put_like = [&](const std::string& name, const std::function<void(json&)>& change) {
        json other = like;
        other["metadata"]["name"] = name;
        change(other["metadata"]);
        linked.server.put(other);
    };
    put_like("edge-other", [](json&) {});
    put_like("edge-penstock-2", [](json& meta) { meta["ownerReferences"].push_back(meta["ownerReferences"][0]); });
    put_like("stays-penstock", [](json& meta) { meta["ownerReferences"][0]["uid"] = "of an earlier one"; });
    linked.server.fail("DELETE ", 500, 1);
    linked.server.put(gateway("edge", "theirs"));
    linked.server.put(gateway("stays", "theirs"));
    REQUIRE(linked.until([&] { return linked.link->facts()["events_that_mattered"].get<int>() >= 2; }));
    CHECK(std::all_of(made.begin(), made.end(), there));  // while its status is published it is in care
    publish({});
    CHECK(linked.until([&] { return std::none_of(made.begin(), made.end(), there); }));
    CHECK(there(services + "edge-other"));
    CHECK(there(services + "edge-penstock-2"));
    CHECK(there(services + "stays-penstock"));
    CHECK(linked.until([&] { return linked.link->troubles().empty() && linked.link->facts()["objects_deleted"] == 5; }));

    // Whoever does not know yet which Gateways have statuses deletes nothing.
    put_like("edge-penstock", [](json&) {});
    linked.end();
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->writes() && linked.link->ready(); }));
    linked.ask([&] {
        linked.link->look_again();
        return true;
    });
    CHECK(linked.ask([&] { return linked.link->facts()["objects_deleted"]; }) == 0);
    publish({});

    // What a writer finds that comes later; and what somebody made his own is his.
    put_like("edge-penstock", [](json&) {});
    CHECK(linked.until([&] { return !there(services + "edge-penstock"); }));
    put_like("edge-penstock", [](json& meta) { meta["labels"].erase("app.kubernetes.io/managed-by"); });
    linked.ask([&] {
        linked.link->look_again();
        return true;
    });
    publish({});
    CHECK(there(services + "edge-penstock"));
}

TEST_CASE("cluster link: a Gateway whose class goes is told to wait, one that another class takes is left alone") {
    Linked linked;
    const auto gateway = [](const std::string& name) {
        return json{{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "Gateway"}, {"metadata", {{"name", name}, {"namespace", "default"}}},
                    {"spec", {{"gatewayClassName", name}, {"listeners", json::array({{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}})}}}};
    };
    const auto path = [](const std::string& name) { return "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/" + name; };
    const auto said = [&](const std::string& name) {
        const json conditions = linked.server.get(path(name)).value("status", json::object()).value("conditions", json::array());
        return conditions.empty() ? "" : conditions[0].value("status", "");
    };
    linked.server.put(gateway("lost"));
    linked.server.put(gateway("moved"));
    linked.server.put({{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "GatewayClass"}, {"metadata", {{"name", "moved"}}}, {"spec", {{"controllerName", "example.com/other"}}}});
    linked.start();
    REQUIRE(linked.until([&] { return linked.link->ready(); }));
    const auto publish = [&](bool ours) {
        linked.ask([&] {
            status::Book::Published published;
            for (const char* name : {"Gateway/default/lost", "Gateway/default/moved"}) {
                if (ours) {
                    published.set(name, std::make_shared<const std::string>(R"({"addresses":[{"type":"IPAddress","value":"192.0.2.1"}],"conditions":[{"type":"Accepted","status":"True","lastTransitionTime":"t"}]})"));
                }
            }
            linked.link->publish(published);
            return true;
        });
    };
    publish(true);
    REQUIRE(linked.until([&] { return said("lost") == "True" && said("moved") == "True"; }));
    publish(false);
    REQUIRE(linked.until([&] { return said("lost") == "Unknown"; }));
    CHECK(linked.server.get(path("lost"))["status"]["addresses"].empty());
    CHECK(said("moved") == "True");
}
