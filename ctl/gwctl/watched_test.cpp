// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/watched.hpp"

#include <csignal>

#include "ctl/gwctl/testing.hpp"
#include "tools/test/api_server.hpp"

using namespace penstock::gwctl;
using namespace penstock::gwctl::testing;
using nlohmann::json;
using penstock::test::ApiServer;

namespace {

json gateway(const std::string& name, const std::string& of_class) {
    return {{"apiVersion", "gateway.networking.k8s.io/v1"},
            {"kind", "Gateway"},
            {"metadata", {{"name", name}, {"namespace", "default"}}},
            {"spec", {{"gatewayClassName", of_class}, {"listeners", {{{"name", "http"}, {"port", 80}, {"protocol", "HTTP"}}}}}}};
}

// "edge inner ": names of those printed.
std::string names_of(const std::vector<json>& objects) {
    std::string out;
    for (const json& one : objects) {
        out += one["metadata"]["name"].get<std::string>() + " ";
    }
    return out;
}

Place::Seen seen(bool all, const std::vector<std::pair<json, bool>>& objects) { return {.all = all, .objects = objects}; }

// gwctl as a user runs it, until he interrupts it.
class Running {
public:
    explicit Running(std::vector<std::string> arguments) : child_(start_gwctl(std::move(arguments), folder_)) {}
    ~Running() {
        ::kill(child_, SIGINT);
        (void)wait();
    }
    Running(const Running&) = delete;
    [[nodiscard]] std::string out() const { return folder_.read("out"); }
    [[nodiscard]] std::string err() const { return folder_.read("err"); }
    // Once it has printed so many lines: these.
    std::vector<std::string> lines(std::size_t count) const {
        std::vector<std::string> found;
        for (int i = 0; i < 3000 && found.size() < count; ++i) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            found.clear();
            std::istringstream text(out());
            for (std::string line; std::getline(text, line);) {
                found.push_back(line.substr(0, line.find_last_of(' ') + 1));  // without the age
            }
        }
        return found;
    }
    int wait() {
        int status = 0;
        if (child_ > 0) {
            ::waitpid(std::exchange(child_, -1), &status, 0);
        }
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

private:
    const Folder folder_;
    pid_t child_ = -1;
};

}  // namespace

TEST_CASE("watched: what is another object than before is printed again, and what is gone once more") {
    Watched watched;
    const json edge = gateway("edge", "a"), inner = gateway("inner", "a"), edited = gateway("edge", "b");
    CHECK(names_of(watched.changed(seen(true, {{edge, false}, {inner, false}}))) == "edge inner ");
    CHECK(watched.changed(seen(true, {{edge, false}, {inner, false}})).empty());
    CHECK(watched.changed(seen(false, {{edited, false}, {inner, false}})) == std::vector{edited});
    CHECK(names_of(watched.changed(seen(true, {{inner, false}}))) == "edge ");
    CHECK(watched.changed(seen(false, {})).empty());
    CHECK(names_of(watched.changed(seen(false, {{inner, true}}))) == "inner ");
    CHECK(names_of(watched.changed(seen(true, {{inner, false}}))) == "inner ");
}

TEST_CASE("gwctl get -w on a daemon: rows below the table, as objects change") {
    Daemon daemon;
    daemon.answer("/v1/objects", {{"items", json::array({gateway("edge", "a")})}});
    Running get({"--state-dir", daemon.folder.path(), "get", "gtw", "-w"});
    REQUIRE(get.lines(2).size() == 2);
    daemon.answer("/v1/objects", {{"items", json::array({gateway("edge", "another"), gateway("inner", "a")})}});
    const auto lines = get.lines(4);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].starts_with("NAME   CLASS"));
    CHECK(lines[1].starts_with("edge   a "));
    CHECK(lines[2].starts_with("edge    another "));  // rows that need more room have it from then on
    CHECK(lines[3].starts_with("inner   a "));
    daemon.answer("/v1/objects", {{"items", json::array({gateway("inner", "a")})}});
    REQUIRE(get.lines(5).size() == 5);
    CHECK(get.lines(5)[4].starts_with("edge    another "));
}

TEST_CASE("gwctl get -w on a cluster: every change as the server tells it, through a watch that breaks") {
    ApiServer server;
    server.put(gateway("edge", "a"));
    const Folder folder;
    const std::string config = folder.write("config", "current-context: x\nclusters: [{name: c, cluster: {server: " + server.url() +
                                                          "}}]\nusers: [{name: u, user: {}}]\ncontexts: [{name: x, context: {cluster: c, user: u, namespace: default}}]\n");
    Running get({"get", "gtw", "-w", "-o", "name", "--kubeconfig", config});
    REQUIRE(get.lines(1).size() == 1);
    server.put(gateway("inner", "a"));
    REQUIRE(get.lines(2).size() == 2);
    server.cut_watches(true);
    server.put(gateway("edge", "b"));
    REQUIRE(get.lines(3).size() == 3);
    server.remove("/apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/inner");
    REQUIRE(get.lines(4).size() == 4);
    std::string names;
    std::istringstream text(get.out());
    for (std::string line; std::getline(text, line);) {
        names += line.substr(line.find('/') + 1) + " ";
    }
    CHECK(names == "edge inner edge inner ");

    Running one({"get", "gtw", "edge", "-w", "-o", "json", "--kubeconfig", config});
    REQUIRE(one.lines(3).size() >= 3);
    CHECK(one.out().find("\"b\"") != std::string::npos);
}

TEST_CASE("gwctl get -w: what is not there, does not answer or cannot be watched ends it") {
    Daemon daemon;
    daemon.answer("/v1/objects", {{"items", json::array()}});
    const Ran absent = daemon.run({"get", "gtw", "edge", "-w"});
    CHECK(absent.code == 1);
    CHECK(absent.err.find("there is no gtw edge") != std::string::npos);
    daemon.answer("/v1/objects", {{"error", {{"code", "internal"}, {"message", "it broke"}}}}, 500);
    CHECK(daemon.run({"get", "gtw", "-w"}).code == 3);
    for (const std::vector<std::string>& words : {std::vector<std::string>{"get", "gtw,svc", "-w"}, {"get", "gtw", "a", "b", "-w"}, {"get", "gtw", "-w", "-f", "a.yaml"}}) {
        CHECK(daemon.run(words).code == 2);
    }
}
