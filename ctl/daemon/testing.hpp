// SPDX-License-Identifier: Apache-2.0
// For tests only: a daemon on a thread of its own, with a machine that remembers.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "ctl/daemon/daemon.hpp"
#include "ctl/daemon/test_loop.hpp"
#include "schema/part_name.hpp"
#include "tools/test/catch.hpp"
#include "tools/test/folder.hpp"

namespace penstock::daemon::testing {

using nlohmann::json;

// Takes every publication at once, unless it is told to fail.
class FakeMachine final : public Machine {
public:
    explicit FakeMachine(Loop& loop) : loop_(loop) {}

    void listen(MachineEvents events) override { events_ = std::move(events); }
    [[nodiscard]] HeldRoot held() const override { return held_; }
    [[nodiscard]] compile::Options compile_options() const override {
        compile::Options options;
        options.node_addresses = node_addresses;
        options.xdp = false;
        return options;
    }
    void look_again() override { ++looked_again; }
    std::vector<Trouble> prepare(const compile::Compiled& wanted) override {
        ++prepared;
        claimed = wanted.addresses;
        written += drifts ? 1 : 0;
        if (!broken_socket.empty()) {
            const Error error = sys_error_of(EADDRINUSE, "open " + broken_socket, "another process listens there");
            return {{.what = "socket " + broken_socket, .error = error, .failure = owner_of_socket(wanted, broken_socket, error.sentence())}};
        }
        return {};
    }
    Status publish(const compile::Compiled& wanted, const std::string& digest, std::uint64_t generation) override {
        if (publish_fails) {
            return Error{.code = Errc::kernel, .what = "put a part", .sys_errno = EMFILE};
        }
        ++published;
        held_ = {generation, digest};
        last_ = wanted.snapshot.root;
        WorkerTaken taken{.generation = generation, .failed = {}, .refused = refusal};
        if (fail_part) {
            const compile::Part& part = *wanted.snapshot.parts.begin()->second;
            taken.failed.emplace_back(penstock::snapshot::part_name(part.kind, part.key, part.digest), "it is not to its liking");
        }
        if (!silent) {
            loop_.post([this, taken] { events_.taken(taken); });
        }
        unsaid_ = taken;
        return success();
    }
    std::vector<Trouble> finish(const compile::Compiled&) override { return {}; }
    void share(const AddressShare& share) override {
        if (!deaf) {
            here_ = share.held;
        }
    }
    void ask(const std::vector<IpAddress>&, const std::vector<IpAddress>&) override {}
    [[nodiscard]] const std::set<IpAddress>& here() const override { return here_; }
    [[nodiscard]] std::vector<plan::Network> networks() const override { return on_link; }
    [[nodiscard]] std::vector<Trouble> standing_troubles() const override {
        if (unconfined) {
            return {{.what = "confine the worker", .error = {.code = Errc::unsupported, .what = "no seccomp here"}, .failure = {}}};
        }
        return {};
    }
    [[nodiscard]] std::uint64_t steps() const override { return written; }
    void tell_metrics(const DaemonFigures& figures) override {
        told_not_good = static_cast<std::int64_t>(figures.not_good);
        told_errors = static_cast<std::int64_t>(figures.errors);
    }
    [[nodiscard]] MachineFacts facts() override {
        return {.processes = json::array(), .workers = json::object(), .datapath = json::object(), .addresses = json::array(), .rung_xdp = json::object(), .verdicts = json::array()};
    }
    [[nodiscard]] const StatsPage* stats() const override { return nullptr; }

    // What the workers kept to themselves while they were silent.
    void speak() {
        silent = false;
        events_.taken(unsaid_);
    }
    void lose_keeper() { events_.lost("it was killed"); }

    std::atomic<int> looked_again = 0;
    int prepared = 0, published = 0;
    std::vector<compile::ClaimedAddress> claimed;  // as prepared last
    bool drifts = false;  // each prepare finds something to write
    std::uint64_t written = 0;
    std::atomic<std::int64_t> told_not_good = -1, told_errors = -1;
    std::string broken_socket, refusal;
    bool publish_fails = false, fail_part = false, silent = false, unconfined = false;
    bool deaf = false;  // puts no address on an interface, and says nothing of it
    std::vector<plan::Network> on_link;  // where it announces
    std::vector<IpAddress> node_addresses = {*IpAddress::parse("192.0.2.1")};

private:
    Loop& loop_;
    MachineEvents events_;
    HeldRoot held_;
    std::set<IpAddress> here_;
    WorkerTaken unsaid_;
    std::shared_ptr<const std::string> last_;
};

constexpr const char* kGateway =
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {name: penstock}\nspec: {controllerName: penstock.dev/gateway-controller}\n---\n"
    "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: edge}\nspec:\n  gatewayClassName: penstock\n"
    "  listeners: [{name: http, port: 80, protocol: HTTP}]\n";

inline std::string route(const std::string& name, const std::string& value = "one") {
    return "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: " + name + "}\nspec:\n  parentRefs: [{name: edge}]\n  hostnames: [" + name +
           ".example]\n  rules:\n  - filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x, value: " + value + "}]}}]\n";
}

inline bool eventually(const std::function<bool()>& what) {
    for (int i = 0; i < 1000; ++i) {
        if (what()) {
            return true;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
}

// A daemon that runs on a thread of its own. The machine outlives it, so that a second daemon finds what the first left.
class Running {
public:
    Running(const std::string& state, const std::string& config, const std::function<void(FakeMachine&)>& prepare = [](FakeMachine&) {}, std::chrono::milliseconds resync = {})
        : loop_(std::move(Loop::open()).value()), machine(*loop_), state_(std::move(StateDir::open(state)).value()), daemon(*loop_, machine, state_, options(config, resync), [] { return 1'700'000'000; }) {
        prepare(machine);
        REQUIRE(daemon.start().ok());
        thread_ = std::thread([this] {
            loop_->run();
            daemon.stop();
            ended = true;
        });
    }
    ~Running() {
        loop_->stop();
        thread_.join();
    }
    // Something done on the daemon's own thread.
    void on_loop(const std::function<void()>& what) { testing::on_loop(*loop_, what); }
    json status() {
        auto now = daemon.status();
        REQUIRE(now.ok());
        return *now;
    }
    bool served() {
        return eventually([&] {
            const Generation now = daemon.board().get();
            return now.wanted > 0 && now.taken == now.wanted;
        });
    }
    std::string objects(const std::string& kind) {
        auto items = daemon.objects({.kinds = {kind}, .ns = {}, .name = {}});
        REQUIRE(items.ok());
        std::string names;
        for (const json& item : *items) {
            names += item["metadata"]["name"].get<std::string>() + " ";
        }
        return names;
    }
    json unsolved() {
        json list = json::array();
        const json now = status();
        for (const json& error : now["errors"]) {
            if (!error["solved"].get<bool>()) {
                list.push_back(error);
            }
        }
        return list;
    }
    json condition(const std::string& object, const std::string& type) {
        const json now = status();
        for (const json& one : now["not_good"]) {
            if (one["object"]["name"] == object && one["type"] == type) {
                return one;
            }
        }
        return nullptr;
    }
    Result<ApiChanged> load(const std::string& text, bool dry_run = false, bool replace = false) {
        return daemon.change({.documents = {{"test.yaml", text}}, .removals = {}, .replace = replace, .dry_run = dry_run});
    }

private:
    static Options options(const std::string& config, std::chrono::milliseconds resync) {
        Options options;
        options.config = config;
        options.metrics = Endpoint::parse("127.0.0.1:9650");
        options.resync_interval = resync;
        return options;
    }
    std::unique_ptr<Loop> loop_;

public:
    FakeMachine machine;

private:
    StateDir state_;

public:
    Daemon daemon;
    std::atomic<bool> ended = false;

private:
    std::thread thread_;
};

struct Folders {
    test::TestFolder state;
    test::TestFolder config;
};

}  // namespace penstock::daemon::testing
