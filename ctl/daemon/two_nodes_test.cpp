// SPDX-License-Identifier: Apache-2.0
// Daemons of several nodes on one API server: the one that writes statuses knows what the others have taken.
#include <algorithm>

#include "ctl/daemon/test_node.hpp"

using namespace penstock;
using namespace penstock::daemon;
using namespace penstock::daemon::testing;

namespace {

// The class has a pool of these addresses.
void put_pool(test::ApiServer& server, const std::string& addresses) {
    json by_pool = gateway_class();
    by_pool["spec"]["parametersRef"] = {{"group", ""}, {"kind", "ConfigMap"}, {"name", "pool"}, {"namespace", "default"}};
    server.put(by_pool);
    server.put({{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"metadata", {{"name", "pool"}, {"namespace", "default"}}}, {"data", {{"addresses", addresses}}}});
}

}  // namespace

TEST_CASE("two nodes: one alone waits for nobody, and tells what it has taken, once and for the Node that it is") {
    test::ApiServer server;
    server.put({{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "node-a"}}}});
    server.put(gateway_class());
    server.put(gateway(80));
    Node a(server, "node-a");
    REQUIRE(says(server, "True Programmed of 1"));
    REQUIRE(soon([&] { return server.get(std::string(kNodes) + "node-a")["status"]["objects"].size() == 1; }));
    const json told = server.get(std::string(kNodes) + "node-a");
    CHECK(told["status"]["objects"][0]["name"] == "edge");
    CHECK(told["status"]["objects"][0]["generation"] == 1);
    CHECK(told["status"]["objects"][0]["uid"] == server.get(kGatewayPath)["metadata"]["uid"]);
    CHECK(told["metadata"]["ownerReferences"][0]["uid"] == server.get("/api/v1/nodes/node-a")["metadata"]["uid"]);
    server.put(gateway(8080));
    REQUIRE(says(server, "True Programmed of 2"));
    REQUIRE(soon([&] { return server.get(std::string(kNodes) + "node-a")["status"]["objects"][0]["generation"] == 2; }));
    CHECK(soon([&] { return a.cluster()["nodes"]["written"] == server.requests("PATCH " + std::string(kNodes)); }));
    const auto written = server.history(std::string(kNodes) + "node-a");
    CHECK(written.size() >= 2);
    CHECK(std::adjacent_find(written.begin(), written.end(), [](const json& one, const json& next) { return one["status"] == next["status"]; }) == written.end());
    const json nodes = a.cluster()["nodes"];
    CHECK(nodes["nodes"][0]["taken"] == 1);
    CHECK(nodes["open"].empty());

    // Somebody deletes it, or writes into it.
    server.remove(std::string(kNodes) + "node-a");
    REQUIRE(soon([&] { return !server.get(std::string(kNodes) + "node-a").is_null(); }));
    json spoiled = server.get(std::string(kNodes) + "node-a");
    spoiled["status"]["objects"] = json::array();
    server.put(spoiled);
    CHECK(soon([&] { return server.get(std::string(kNodes) + "node-a")["status"]["objects"].size() == 1; }));
}

TEST_CASE("two nodes: a Node that is made anew gets what its name has told, whenever it comes and whatever was written meanwhile") {
    const std::string path = std::string(kNodes) + "node-a", node_path = "/api/v1/nodes/node-a";
    const json node = {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", "node-a"}}}};
    test::ApiServer server;
    server.put(gateway_class());
    server.put(gateway(80));
    const auto owned = [&] {
        const json owners = server.get(path).value("metadata", json::object()).value("ownerReferences", json::array());
        return owners.size() == 1 && owners[0]["uid"] == server.get(node_path)["metadata"]["uid"];
    };
    {
        Node a(server, "node-a");
        REQUIRE(says(server, "True Programmed of 1"));
        REQUIRE(soon([&] { return !server.get(path).is_null(); }));
        CHECK(!server.get(path)["metadata"].contains("ownerReferences"));
        server.put(node);
        REQUIRE(soon(owned));
        const bool first = GENERATE(true, false);  // the new Node is there before what went with the old one is deleted, or is not
        server.remove(node_path);
        if (first) {
            server.put(node);
        }
        server.remove(path);  // by the garbage collector
        REQUIRE(soon([&] { return !server.get(path).is_null(); }));
        server.put(node);
        REQUIRE(soon(owned));
        CHECK(soon([&] { return server.get(path)["status"]["objects"].size() == 1; }));
    }
    json alone = server.get(path);  // as one that was written while there was no Node
    alone["metadata"].erase("ownerReferences");
    server.put(alone);
    Node again(server, "node-a");
    CHECK(soon(owned));
}

TEST_CASE("two nodes: a generation is programmed once both have taken it; a late one is counted, and may still come") {
    test::ApiServer server;
    server.put(gateway_class());
    Node a(server, "node-a");
    REQUIRE(soon([&] { return a.writes(); }));
    Node b(server, "node-b");
    REQUIRE(soon([&] { return a.knows(2); }));
    server.put(gateway(80));
    REQUIRE(says(server, "True Programmed of 1"));

    b.on_loop([&] { b.machine.silent = true; });  // its workers do not answer
    server.put(gateway(8080));
    REQUIRE(soon([&] { return server.get(std::string(kNodes) + "node-a")["status"]["objects"][0]["generation"] == 2; }));
    CHECK(soon([&] { return a.cluster()["nodes"]["open"] != json::array() && a.cluster()["nodes"]["open"][0]["behind"] == json::array({"node-b"}); }));
    REQUIRE(says(server, "True Programmed of 2: programmed on 1 of 2 nodes; waiting for node-b"));
    b.on_loop([&] { b.machine.speak(); });
    REQUIRE(soon([&] { return programmed(server).find("waiting") == std::string::npos; }));
    CHECK(programmed(server).starts_with("True Programmed of 2"));
    CHECK(soon([&] { return a.cluster()["nodes"]["open"].empty(); }));
}

TEST_CASE("two nodes: what one refuses is told with its name, and it is not waited for when it is gone") {
    test::ApiServer server;
    server.put(gateway_class());
    server.put(gateway(80));
    Node a(server, "node-a");
    REQUIRE(soon([&] { return a.writes(); }));
    {
        Node b(server, "node-b", [](FakeMachine& machine) { machine.broken_socket = "tcp/192.0.2.1:80"; });
        REQUIRE(says(server, "node-b: "));
        CHECK(programmed(server).starts_with("False"));
        CHECK(server.get(std::string(kNodes) + "node-b")["status"]["refused"] == 1);
    }
    REQUIRE(says(server, "True Programmed of 1"));
    server.put(gateway(8080));
    CHECK(says(server, "True Programmed of 2"));
    CHECK(programmed(server).find("node-b") == std::string::npos);
}

TEST_CASE("two nodes: Gateways have the addresses of their statuses, whatever a node would give them") {
    test::ApiServer server;
    put_pool(server, "10.0.0.1-10.0.0.2");
    const auto tell = [&](const std::string& address) {
        json told = server.get(kGatewayPath).is_null() ? gateway(80) : server.get(kGatewayPath);
        told["status"]["addresses"] = json::array({{{"type", "IPAddress"}, {"value", address}}});
        server.put(told);
    };
    const auto has = [](Node& node, const std::string& address) {
        std::vector<compile::ClaimedAddress> claimed;
        node.on_loop([&] { claimed = node.machine.claimed; });
        return claimed.size() == 1 && claimed[0].address == *IpAddress::parse(address);
    };
    const std::string first = GENERATE("10.0.0.1", "10.0.0.2");  // one of them is what a node that knows nothing gives
    const std::string second = first == "10.0.0.1" ? "10.0.0.2" : "10.0.0.1";
    tell(first);
    Node a(server, "node-a");
    REQUIRE(says(server, "True Programmed of 1"));
    CHECK(has(a, first));
    CHECK(server.get(kGatewayPath)["status"]["addresses"][0]["value"] == first);
    Node b(server, "node-b");
    CHECK(soon([&] { return has(b, first); }));
    REQUIRE(soon([&] { return a.writes(); }));
    tell(second);  // nobody's word but the writer's counts
    CHECK(soon([&] { return server.get(kGatewayPath)["status"]["addresses"][0]["value"] == first && has(a, first) && has(b, first); }));
}

TEST_CASE("two nodes: a Gateway is programmed once the node that has its address serves it, and a takeover is no word worth") {
    test::ApiServer server;
    put_pool(server, "10.0.0.1");
    Node a(server, "node-a");
    REQUIRE(soon([&] { return a.writes(); }));
    {
        Node b(server, "node-b", [](FakeMachine& machine) { machine.on_link = {{*IpAddress::parse("10.0.0.200"), 24}}; });
        REQUIRE(soon([&] { return a.knows(2); }));
        server.put(gateway(80));
        REQUIRE(says(server, "True Programmed of 1"));
        CHECK(soon([&] { return server.get(std::string(kNodes) + "node-b")["status"]["addresses"] == json::array({"10.0.0.1"}); }));
        CHECK(server.get(std::string(kNodes) + "node-a")["status"]["addresses"] == json::array());

        b.on_loop([&] { b.machine.silent = true; });
        server.put(gateway(8080));
        REQUIRE(says(server, "False Pending of 2: waiting for node-b, which has 10.0.0.1"));
        b.on_loop([&] { b.machine.speak(); });
        REQUIRE(says(server, "True Programmed of 2"));
        REQUIRE(soon([&] { return programmed(server).find("node-b") == std::string::npos; }));
    }
    const unsigned written = server.requests("PATCH " + std::string(kGatewayPath));
    CHECK(soon([&] { return server.get(std::string(kNodes) + "node-a")["status"]["addresses"] == json::array({"10.0.0.1"}); }));
    CHECK(soon([&] { return a.cluster()["nodes"]["open"].empty() && a.knows(1); }));
    CHECK(programmed(server).starts_with("True Programmed of 2"));
    CHECK(server.requests("PATCH " + std::string(kGatewayPath)) == written);
}

TEST_CASE("two nodes: an address that no node has is told, also of a node alone") {
    test::ApiServer server;
    put_pool(server, "10.0.0.1");
    server.put(gateway(80));
    Node a(server, "node-a", [](FakeMachine& machine) { machine.deaf = true; });
    REQUIRE(says(server, "False AddressNotAssigned of 1: no node says that it has 10.0.0.1"));
    CHECK(soon([&] { return a.cluster()["nodes"]["open"] != json::array() && a.cluster()["nodes"]["open"][0]["nowhere"] == json::array({"10.0.0.1"}); }));
}

TEST_CASE("two nodes: a Gateway without a pool has the addresses of all nodes that live, in the same order whoever writes") {
    test::ApiServer server;
    server.put(gateway_class());
    server.put(gateway(80));
    const auto has = [](const char* address) { return [address](FakeMachine& machine) { machine.node_addresses = {*IpAddress::parse(address)}; }; };
    const auto told = [&server] {
        std::string out;
        for (const json& one : server.get(kGatewayPath).value("status", json::object()).value("addresses", json::array())) {
            out += one["value"].get<std::string>() + " ";
        }
        return out;
    };
    Node a(server, "node-a", has("192.0.2.2"));
    REQUIRE(soon([&] { return told() == "192.0.2.2 "; }));
    {
        Node b(server, "node-b", has("192.0.2.1"));
        CHECK(soon([&] { return told() == "192.0.2.1 192.0.2.2 "; }));
        CHECK(soon([&] { return programmed(server).starts_with("True"); }));
    }
    CHECK(soon([&] { return told() == "192.0.2.2 "; }));
}

TEST_CASE("two nodes: a Gateway without a pool may name no address but a node's own") {
    test::ApiServer server;
    server.put(gateway_class());
    json named = gateway(80);
    named["spec"]["addresses"] = json::array({{{"type", "IPAddress"}, {"value", "192.0.2.77"}}});
    server.put(named);
    Node a(server, "node-a", [](FakeMachine& machine) { machine.node_addresses = {*IpAddress::parse("192.0.2.2")}; });
    CHECK(says(server, "False AddressNotUsable of 1: address 192.0.2.77 is no node's own, and its GatewayClass has no pool"));
    named["spec"]["addresses"][0]["value"] = "192.0.2.2";
    server.put(named);
    CHECK(says(server, "True Programmed of 2"));
}

TEST_CASE("two nodes: what no event told is found by a resync, and counted") {
    test::ApiServer server;
    server.put(gateway_class());
    server.put(gateway(80));
    Node a(server, "node-a", [](FakeMachine& machine) { machine.node_addresses = {*IpAddress::parse("192.0.2.2")}; }, std::chrono::milliseconds(500));
    REQUIRE(says(server, "True Programmed of 1"));
    const auto resyncs = [&](int more) {
        const int now = a.count("resyncs");
        return soon([&] { return a.count("resyncs") >= now + more; });
    };
    REQUIRE(resyncs(3));  // what is made for the Gateway has come back
    const int repairs = a.count("repairs");
    REQUIRE(resyncs(3));
    CHECK(a.count("repairs") == repairs);
    json other = gateway(80);
    other["metadata"]["name"] = "other";
    other["spec"]["gatewayClassName"] = "of-somebody";
    // A list may come between the second object and the watch that would tell it: that is no repair, so more than one try may be needed.
    int port = 8080;
    for (int tries = 0; tries < 20 && a.count("repairs") == repairs; ++tries) {
        server.put_untold(gateway(++port), other);
        CHECK(says(server, "True Programmed of " + std::to_string(tries + 2)));
    }
    CHECK(a.count("repairs") > repairs);
}

TEST_CASE("two nodes: without the CRD each speaks for itself, and it is found when it comes") {
    test::ApiServer server;
    server.hide("penstocknodes", true);
    server.put(gateway_class());
    server.put(gateway(80));
    Node a(server, "node-a");
    REQUIRE(soon([&] { return a.writes(); }));
    Node b(server, "node-b", [](FakeMachine& machine) { machine.silent = true; });
    REQUIRE(says(server, "True Programmed of 1"));
    REQUIRE(soon([&] { return a.knows(2); }));
    const json missing = {{"kind", "PenstockNode"}, {"version", ""}, {"synced", true}, {"missing", true}, {"trouble", ""}};
    CHECK(soon([&] { return a.cluster()["kinds"].back() == missing; }));
    server.put(gateway(8080));
    REQUIRE(says(server, "True Programmed of 2"));
    CHECK(programmed(server).find("node-b") == std::string::npos);
    server.hide("penstocknodes", false);
    CHECK(says(server, "programmed on 1 of 2 nodes; waiting for node-b"));
    CHECK(soon([&] { return !server.get(std::string(kNodes) + "node-a").is_null(); }));
}
