// SPDX-License-Identifier: Apache-2.0
// The whole daemon but for its machine: a folder, a state folder, questions as the control API asks them, and a machine that remembers.
#include "ctl/daemon/testing.hpp"

using namespace penstock;
using namespace penstock::daemon;
using namespace penstock::daemon::testing;

TEST_CASE("daemon: a folder is served, and every change in it") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    CHECK(run.objects("Gateway") == "edge ");
    CHECK(run.status()["listeners"][0]["name"] == "Gateway/default/edge/http");
    in.config.replace("b.yaml", route("shop"));
    CHECK(eventually([&] { return run.objects("HTTPRoute") == "shop "; }));
    CHECK(run.served());
    in.config.remove("b.yaml");
    CHECK(eventually([&] { return run.objects("HTTPRoute").empty(); }));
    CHECK(run.status()["errors"].empty());
}

TEST_CASE("daemon: what breaks in the folder is told with file and line, and what ran before goes on") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    in.config.write("b.yaml", route("shop"));
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    struct Row {
        const char* name;
        std::function<void()> break_it;
        const char* want;
    };
    const std::string path = in.config.text();
    const Row rows[] = {
        {"broken text", [&] { in.config.replace("b.yaml", "kind: HTTPRoute\n  metadata: [\n"); }, "b.yaml"},
        {"a wrong field", [&] { in.config.replace("b.yaml", route("shop") + "    timeouts: {request: soon}\n"); }, "b.yaml"},
        // In one step: a moment without the file is a moment without its route.
        {"a dangling symlink", [&] { std::filesystem::create_symlink("nowhere", in.config.path() / ".other"); in.config.exchange(".other", "b.yaml"); }, "b.yaml"},
        {"a folder of that name", [&] { std::filesystem::create_directory(in.config.path() / ".other"); in.config.exchange(".other", "b.yaml"); }, "b.yaml"},
        {"the folder is gone", [&] { std::filesystem::rename(path, path + ".away"); }, ""},
    };
    for (const Row& row : rows) {
        INFO(row.name);
        row.break_it();
        CHECK(eventually([&] { return run.status()["sources"][0]["state"] != "ok"; }));
        const json told = run.status()["sources"][0]["diagnostics"];
        REQUIRE(told.size() == 1);
        CHECK(told[0]["severity"] == "error");
        CHECK(told[0]["file"] == row.want);
        CHECK(run.objects("HTTPRoute") == "shop ");
        CHECK(run.objects("Gateway") == "edge ");
        if (std::filesystem::exists(path + ".away")) {
            std::filesystem::rename(path + ".away", path);
        }
        std::filesystem::remove(in.config.path() / "b.yaml");
        std::filesystem::remove(in.config.path() / ".other");
        in.config.replace("b.yaml", route("shop"));
        CHECK(eventually([&] { return run.status()["sources"][0]["state"] == "ok" && run.objects("HTTPRoute") == "shop "; }));
        CHECK(run.served());
    }
    std::filesystem::remove_all(path + ".away");
}

TEST_CASE("daemon: a load is refused whole, tried, applied, replaced and taken back") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    const std::uint64_t before = run.daemon.board().get().wanted;

    auto refused = run.load(route("good") + "---\n" + route("Bad Name"));
    REQUIRE(refused.ok());
    CHECK(refused->refused);
    CHECK(refused->diagnostics[0]["file"] == "test.yaml");
    auto dry = run.load(route("shop"), true);
    REQUIRE(dry.ok());
    CHECK(dry->changed[0]["change"] == "created");
    CHECK(run.objects("HTTPRoute").empty());
    CHECK(run.daemon.board().get().wanted == before);

    CHECK(run.load(route("shop"))->generation == before + 1);
    CHECK(run.served());
    CHECK(run.objects("HTTPRoute") == "shop ");
    CHECK(run.load(route("shop"))->changed[0]["change"] == "unchanged");
    CHECK(run.load(route("other"), false, true)->changed.size() == 2);
    CHECK(run.objects("HTTPRoute") == "other ");
    // A file of the folder is nobody's but the folder's.
    const auto gateway = run.daemon.change({.documents = {}, .removals = {{"Gateway", "default", "edge"}}});
    REQUIRE_FALSE(gateway.ok());
    CHECK(gateway.error().code == Errc::exists);
    CHECK(gateway.error().message().find("a.yaml") != std::string::npos);
    CHECK(run.daemon.change({.documents = {}, .removals = {{"HTTPRoute", "default", "absent"}}}).error().code == Errc::not_found);
    CHECK(run.daemon.change({.documents = {}, .removals = {{"HTTPRoute", "default", "other"}}}).ok());
    CHECK(run.objects("HTTPRoute").empty());
}

TEST_CASE("daemon: a socket in use is an error and a condition of its Gateway until it is free") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text(), [](FakeMachine& machine) { machine.broken_socket = "tcp/192.0.2.1:80"; });
    CHECK(eventually([&] { return run.unsolved().size() == 1; }));
    const json error = run.unsolved()[0];
    CHECK(error["object"] == json({{"kind", "Gateway"}, {"namespace", "default"}, {"name", "edge"}}));
    CHECK(error["message"] == "socket tcp/192.0.2.1:80: open tcp/192.0.2.1:80");
    CHECK(error["caused_by"] == "Address already in use");
    CHECK(error["hint"] == "another process listens there");
    CHECK(run.condition("edge", "Programmed")["message"].get<std::string>().find("Address already in use") != std::string::npos);
    run.on_loop([&] { run.machine.broken_socket.clear(); });
    CHECK(eventually([&] { return run.unsolved().empty(); }));  // tried again by itself
    CHECK(run.condition("edge", "Programmed").is_null());
}

TEST_CASE("daemon: a snapshot that the worker refuses, or a part of it, is told, and the one before is served") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    in.config.write("b.yaml", route("shop"));
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    const std::uint64_t good = run.daemon.board().get().taken;
    run.on_loop([&] { run.machine.refusal = "its root is damaged"; });
    in.config.replace("b.yaml", route("shop", "two"));
    CHECK(eventually([&] { return run.unsolved().size() == 1; }));
    CHECK(run.unsolved()[0]["message"].get<std::string>().find("its root is damaged") != std::string::npos);
    CHECK(run.daemon.board().get().taken == good);

    run.on_loop([&] {
        run.machine.refusal.clear();
        run.machine.fail_part = true;
    });
    in.config.replace("b.yaml", route("shop", "three"));
    CHECK(eventually([&] { return run.unsolved().size() == 1 && run.unsolved()[0]["caused_by"] == "" && run.daemon.board().get().taken > good; }));
    const json error = run.unsolved()[0];
    CHECK(error["hint"] == "its last good version is served");
    CHECK(error["object"]["name"] == "edge");  // whose listener it belongs to
    run.on_loop([&] { run.machine.fail_part = false; });
    in.config.replace("b.yaml", route("shop", "four"));
    CHECK(eventually([&] { return run.unsolved().empty(); }));
}

TEST_CASE("daemon: what cannot be published, or is not taken, leaves the generation wanted but not served") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    run.on_loop([&] { run.machine.publish_fails = true; });
    in.config.replace("b.yaml", route("shop"));
    CHECK(eventually([&] { return run.unsolved().size() == 1; }));
    CHECK(run.unsolved()[0]["message"] == "publish to the worker: put a part");
    CHECK(run.daemon.board().get().taken < run.daemon.board().get().wanted);
    CHECK(eventually([&] { return run.machine.told_errors == 1 && run.machine.told_not_good >= 0; }));
    run.on_loop([&] { run.machine.publish_fails = false; });
    CHECK(run.served());
    CHECK(run.unsolved().empty());

    run.on_loop([&] { run.machine.silent = true; });
    in.config.replace("b.yaml", route("shop", "two"));
    CHECK(eventually([&] { return run.unsolved().size() == 1; }));
    CHECK(run.unsolved()[0]["message"] == "wait for the worker: none has taken generation 3 yet");
    CHECK(run.daemon.board().get().taken < run.daemon.board().get().wanted);
}

TEST_CASE("daemon: a worker that runs without its filter is told as an error") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text(), [](FakeMachine& machine) { machine.unconfined = true; });
    CHECK(eventually([&] { return run.unsolved().size() == 1; }));
    CHECK(run.unsolved()[0]["message"] == "confine the worker: no seccomp here");
    CHECK(run.served());
    run.on_loop([&] { run.machine.unconfined = false; });
    CHECK(eventually([&] { return run.unsolved().empty(); }));
}

TEST_CASE("daemon: a state folder that cannot be written refuses loads, serves the folder, and is tried again") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    // A folder in the place of the temporary file fails every write, also for root.
    for (const char* name : {"loaded.json.new", "ids.new", "generation.new"}) {
        std::filesystem::create_directory(in.state.path() / name);
    }
    const auto refused = run.load(route("shop"));
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message().find("loaded.json") != std::string::npos);
    CHECK(refused.error().sys_errno == EISDIR);
    CHECK(run.objects("HTTPRoute").empty());
    in.config.replace("b.yaml", route("other"));
    CHECK(eventually([&] { return run.objects("HTTPRoute") == "other "; }));
    CHECK(run.served());
    CHECK(eventually([&] { return run.unsolved().size() == 2; }));
    CHECK(run.unsolved()[0]["message"].get<std::string>().starts_with("keep "));
    for (const char* name : {"loaded.json.new", "ids.new", "generation.new"}) {
        std::filesystem::remove(in.state.path() / name);
    }
    CHECK(eventually([&] { return run.unsolved().empty(); }));
    CHECK(std::filesystem::file_size(in.state.path() / "ids") > 0);
    CHECK(run.load(route("shop")).ok());
}

TEST_CASE("daemon: a restart finds what was loaded, with the same names, ages and numbers") {
    const Folders in;
    std::string uid;
    std::uint64_t wanted = 0;
    {
        Running run(in.state.text(), "");
        REQUIRE(run.load(std::string(kGateway) + "---\n" + route("shop")).ok());
        CHECK(run.served());
        uid = (*run.daemon.objects({.kinds = {"HTTPRoute"}, .ns = {}, .name = {}}))[0]["metadata"]["uid"];
        wanted = run.daemon.board().get().wanted;
    }
    Running run(in.state.text(), "");
    CHECK(run.served());
    CHECK(run.objects("Gateway") == "edge ");
    CHECK((*run.daemon.objects({.kinds = {"HTTPRoute"}, .ns = {}, .name = {}}))[0]["metadata"]["uid"] == uid);
    CHECK(run.daemon.board().get().wanted > wanted);
}

TEST_CASE("daemon: garbage in a state folder is done without") {
    const auto garbage = GENERATE(as<std::string>{}, "", "garbage", "{\"penstock\": \"loaded 1\"", "penstock objects 1\nx", std::string(100'000, '['));
    const Folders in;
    in.config.write("a.yaml", kGateway);
    for (const char* name : {"ids", "objects", "loaded.json", "generation", "status.json", "control.sock", "ids.new"}) {
        in.state.write(name, garbage);
    }
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    CHECK(run.objects("Gateway") == "edge ");
    REQUIRE(run.load(route("shop")).ok());
    CHECK(run.served());
    CHECK(run.status()["errors"].empty());
}

TEST_CASE("daemon: asked to look again, it does so although nothing told it of a change") {
    const Folders in;
    in.config.write("a.yaml", kGateway);
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    int before = 0;
    run.on_loop([&] {
        before = run.machine.prepared;
        run.daemon.look_again();
    });
    CHECK(eventually([&] { return run.machine.prepared > before; }));
    CHECK(run.machine.published == 1);  // nothing is new
}

TEST_CASE("daemon: without its keeper it ends, so that the next one starts clean") {
    const Folders in;
    Running run(in.state.text(), in.config.text());
    CHECK(run.served());
    run.on_loop([&] { run.machine.lose_keeper(); });
    CHECK(eventually([&] { return run.ended.load(); }));
    // Who asks now is told at once, so that nobody holds the end up.
    const auto begun = Loop::Clock::now();
    CHECK(run.daemon.status().error().message() == "the daemon is stopping");
    CHECK(Loop::Clock::now() - begun < std::chrono::seconds(5));
}

TEST_CASE("daemon: everything is reconciled without an event, too, and what that finds is counted") {
    const Folders in;
    in.config.write("a.yaml", kGateway + ("---\n" + route("one")));
    Running run(in.state.text(), in.config.text(), [](FakeMachine&) {}, std::chrono::milliseconds(5));
    CHECK(run.served());
    const auto count = [&run](const char* what) { return run.status()["reconciles"][what].get<int>(); };
    CHECK(eventually([&] { return count("resyncs") >= 3; }));
    CHECK(run.machine.looked_again >= 3);
    CHECK(count("repairs") == 0);
    CHECK(count("events") >= 1);
    CHECK(run.machine.published == 1);  // nothing new to serve
    const int generation = run.status()["generation"]["wanted"];
    run.on_loop([&run] { run.machine.drifts = true; });
    CHECK(eventually([&] { return count("repairs") >= 1; }));
    CHECK(run.status()["generation"]["wanted"] == generation);
    in.config.write("a.yaml", kGateway + ("---\n" + route("two")));
    CHECK(eventually([&] { return run.objects("HTTPRoute") == "two "; }));
    CHECK(run.served());
}

TEST_CASE("daemon: while the API server is away from the start, what an earlier daemon left is not touched") {
    const Folders in;
    in.config.write("kubeconfig", R"({"apiVersion": "v1", "kind": "Config", "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}], "users": [{"name": "x", "user": {}}]})");
    const auto loop = std::move(Loop::open()).value();
    FakeMachine machine(*loop);
    const StateDir state = std::move(StateDir::open(in.state.text())).value();
    Options options;
    options.kubernetes = true;
    options.kubeconfig = (in.config.path() / "kubeconfig").string();
    Daemon daemon(*loop, machine, state, options, [] { return 1'700'000'000; });
    REQUIRE(daemon.start().ok());
    std::thread thread([&] { loop->run(); });
    CHECK(eventually([&] { return !daemon.status().value()["errors"].empty(); }));
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // errors are tried again after a second
    CHECK(machine.prepared == 0);
    CHECK(machine.published == 0);
    CHECK(daemon.status().value()["address_shares"]["in_contact"] == false);
    loop->stop();
    thread.join();
}
