// SPDX-License-Identifier: Apache-2.0
// For tests: the daemon of one node of a cluster, and what an API server says of its Gateway.
#pragma once

#include <thread>

#include "ctl/daemon/testing.hpp"
#include "tools/test/api_server.hpp"

namespace penstock::daemon::testing {

inline constexpr const char* kGatewayPath = "/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/edge";
inline constexpr const char* kNodes = "/apis/penstock.dev/v1alpha1/penstocknodes/";

inline json gateway_class() {
    return {{"apiVersion", "gateway.networking.k8s.io/v1"}, {"kind", "GatewayClass"}, {"metadata", {{"name", "penstock"}}}, {"spec", {{"controllerName", "penstock.dev/gateway-controller"}}}};
}

inline json gateway(int port) {
    return {{"apiVersion", "gateway.networking.k8s.io/v1"},
            {"kind", "Gateway"},
            {"metadata", {{"name", "edge"}, {"namespace", "default"}}},
            {"spec", {{"gatewayClassName", "penstock"}, {"listeners", json::array({{{"name", "http"}, {"port", port}, {"protocol", "HTTP"}}})}}}};
}

// What may take several patiences of the daemons.
inline bool soon(const std::function<bool()>& what) {
    return eventually(what) || eventually(what) || eventually(what) || eventually(what);
}

// A daemon of one node. What it keeps is in `folder`, for the next one.
class Node {
public:
    Node(test::ApiServer& server, const std::string& name, const std::function<void(FakeMachine&)>& prepare = [](FakeMachine&) {}, std::chrono::milliseconds resync = {},
         std::shared_ptr<test::TestFolder> folder = std::make_shared<test::TestFolder>())
        : folder_(std::move(folder)), loop_(std::move(Loop::open()).value()), machine(*loop_) {
        folder_->write("kubeconfig", R"({"apiVersion": "v1", "kind": "Config", "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x", "namespace": "penstock"}}],
            "clusters": [{"name": "x", "cluster": {"server": ")" + server.url() + R"("}}], "users": [{"name": "x", "user": {}}]})");
        state_.emplace(std::move(StateDir::open(folder_->text())).value());
        Options options;
        options.kubernetes = true;
        options.kubeconfig = (folder_->path() / "kubeconfig").string();
        options.node = name;
        options.resync_interval = resync;
        options.metrics = Endpoint::parse("127.0.0.1:9650");
        prepare(machine);
        daemon_.emplace(*loop_, machine, *state_, options, [] { return 1'700'000'000; });
        REQUIRE(daemon_->start().ok());
        thread_ = std::thread([this] {
            loop_->run();
            daemon_->stop();
        });
    }
    ~Node() {
        loop_->stop();
        thread_.join();
    }
    json cluster() {
        auto now = daemon_->status();
        REQUIRE(now.ok());
        return now.value()["cluster"];
    }
    int count(const char* reconciles) {
        auto now = daemon_->status();
        REQUIRE(now.ok());
        return now.value()["reconciles"][reconciles].get<int>();
    }
    bool writes() { return cluster()["is_writer"] == true; }
    bool knows(std::size_t nodes) { return cluster()["nodes"]["nodes"].size() == nodes; }
    void on_loop(const std::function<void()>& what) { testing::on_loop(*loop_, what); }

private:
    std::shared_ptr<test::TestFolder> folder_;
    std::unique_ptr<Loop> loop_;

public:
    FakeMachine machine;

private:
    std::optional<StateDir> state_;
    std::optional<Daemon> daemon_;
    std::thread thread_;
};

// "True Programmed of 2: ..."
inline std::string programmed(test::ApiServer& server) {
    const json status = server.get(kGatewayPath).value("status", json::object());
    for (const json& one : status.value("conditions", json::array())) {
        if (one["type"] == "Programmed") {
            return one["status"].get<std::string>() + " " + one["reason"].get<std::string>() + " of " + std::to_string(one["observedGeneration"].get<int>()) + ": " + one["message"].get<std::string>();
        }
    }
    return "";
}

inline bool says(test::ApiServer& server, const std::string& part) {
    const bool said = soon([&] { return programmed(server).find(part) != std::string::npos; });
    if (!said) {
        UNSCOPED_INFO("it says: " + programmed(server));
    }
    return said;
}

}  // namespace penstock::daemon::testing
