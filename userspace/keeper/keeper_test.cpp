// SPDX-License-Identifier: Apache-2.0
#include "userspace/keeper/keeper.hpp"

#include <sys/resource.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "schema/stats_page.hpp"
#include "userspace/base/memfd.hpp"
#include "userspace/keeper/testing.hpp"

using namespace penstock;
using namespace penstock::keeper;
using namespace penstock::keeper::testing;

namespace {

// Who has written to the log at `path`, once there are `count`.
std::set<pid_t> writers_of(const std::string& path, std::size_t count) {
    std::set<pid_t> writers;
    for (int i = 0; i < 1000 && writers.size() < count; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        std::ifstream file(path);
        for (std::string line; std::getline(file, line) && !file.eof();) {
            writers.insert(std::atoi(line.c_str()));
        }
    }
    return writers;
}

}  // namespace

TEST_CASE("keeper: a daemon learns what is held, and a worker serves what was put") {
    Lab lab;
    lab.meet();
    lab.await([](MessageT& m) { return m.body.type == Body::Welcome && m.body.AsWelcome()->slots == 1; });
    lab.await([](MessageT& m) { return m.body.AsPut() != nullptr && m.body.AsPut()->kind == ItemKind::StatsPage; });
    REQUIRE(lab.fds.size() == 1);
    auto magic = std::uint32_t{0};
    CHECK(::pread(lab.fds[0].get(), &magic, sizeof magic, 0) == sizeof magic);
    CHECK(magic == kStatsMagic);
    lab.synced();
    const auto [socket, port] = listening();
    lab.put_socket("tcp/one", socket.get());
    lab.publish(1);
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && !m.body.AsTaken()->standby && m.body.AsTaken()->generation == 1; });
    CHECK(answer_of(connect_to(port)) > 0);
}

TEST_CASE("keeper: a killed worker is replaced by the standby, and the connection in the accept queue is served") {
    Lab lab;
    lab.meet();
    lab.synced();
    const auto [socket, port] = listening();
    lab.put_socket("tcp/one", socket.get());
    lab.publish(1);
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->standby; });
    const pid_t first = answer_of(connect_to(port));
    ::kill(first, SIGSTOP);
    const Fd waiting = connect_to(port);  // nobody accepts it now
    ::kill(first, SIGKILL);
    const pid_t second = answer_of(waiting);
    CHECK(second != first);
    // And again: the next standby is there in time.
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->standby; });
    ::kill(second, SIGKILL);
    CHECK(answer_of(connect_to(port)) != second);
}

TEST_CASE("keeper: a daemon that starts again finds its items, and its workers ran on") {
    Lab lab;
    lab.meet();
    lab.synced();
    const auto [socket, port] = listening();
    lab.put_socket("tcp/one", socket.get());
    lab.publish(7);
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && !m.body.AsTaken()->standby; });
    const pid_t worker = answer_of(connect_to(port));
    lab.kill_daemon();
    lab.meet();
    lab.await([](MessageT& m) { return m.body.AsItem() != nullptr && m.body.AsItem()->kind == ItemKind::Socket && m.body.AsItem()->name == "tcp/one"; });
    lab.await([&](MessageT& m) {
        const AboutT* about = m.body.AsAbout();
        return about != nullptr && about->pid == worker && about->ring == "none" && about->unconfined == "it is a fake";
    });
    lab.await([](MessageT& m) { return m.body.AsSynced() != nullptr && m.body.AsSynced()->generation == 7 && m.body.AsSynced()->root == "root"; });
    lab.await([&](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->pid == worker && m.body.AsTaken()->generation == 7; });
    CHECK(answer_of(connect_to(port)) == worker);
}

TEST_CASE("keeper: SIGHUP replaces the worker and lets the old one drain") {
    Lab lab;
    lab.meet();
    lab.synced();
    const auto [socket, port] = listening();
    lab.put_socket("tcp/one", socket.get());
    lab.publish(1);
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->standby; });
    const pid_t first = answer_of(connect_to(port));
    ::kill(lab.keeper, SIGHUP);
    CHECK(lab.worker_in(WorkerState::Draining) == first);
    CHECK(lab.worker_in(WorkerState::Exited) == first);
    CHECK(answer_of(connect_to(port)) != first);
}

TEST_CASE("keeper: every worker gets the access log, and another one when it was renamed") {
    char pattern[] = "/tmp/pst-log-XXXXXX";
    const std::filesystem::path folder = ::mkdtemp(pattern);
    const std::string path = folder / "access.log";
    {
        Lab lab({"--access-log", path});
        const std::set<pid_t> writers = writers_of(path, 2);  // the active one and the standby
        REQUIRE(writers.size() == 2);
        CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_all) == std::filesystem::perms::none);
        for (const int number : {SIGUSR1, SIGUSR1}) {
            std::filesystem::rename(path, path + ".1");
            ::kill(lab.keeper, number);
            CHECK(writers_of(path, 2) == writers);
        }
        std::filesystem::rename(path, path + ".1");
        ::kill(lab.keeper, SIGHUP);  // and those of the new standby
        CHECK(writers_of(path, 3).size() == 3);
        // One that cannot be opened changes nothing.
        std::filesystem::remove(path);
        std::filesystem::create_directory(path);
        ::kill(lab.keeper, SIGUSR1);
        lab.meet();
        lab.synced();
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("keeper: an access log that cannot be opened is told, and nothing starts") {
    for (const auto& [path, why] : std::initializer_list<std::pair<const char*, const char*>>{{"/nowhere/access.log", "No such file"}, {"/tmp", "Is a directory"}}) {
        INFO(path);
        const auto [said, code] = failed_start(std::string("--access-log ") + path);
        CHECK(code == kExitFailed);
        CHECK(said.find(std::string("open the access log ") + path) != std::string::npos);
        CHECK(said.find(why) != std::string::npos);
        CHECK(said.find("hint:") != std::string::npos);
    }
}

TEST_CASE("keeper: another version is refused, garbage ends the connection, and the workers go on") {
    Lab lab;
    lab.meet(99);
    const MessageT refused = lab.await([](MessageT& m) { return m.body.type == Body::Refused; });
    CHECK(refused.body.AsRefused()->reason.find("99") != std::string::npos);
    lab.kill_daemon();
    lab.meet();
    lab.synced();
    PutT put;
    put.kind = ItemKind::Socket;
    put.name = "tcp/without";
    lab.say(put);  // no descriptor came with it
    lab.kill_daemon();
    lab.meet();
    lab.await([](MessageT& m) {
        CHECK((m.body.AsItem() == nullptr || m.body.AsItem()->name != "tcp/without"));
        return m.body.type == Body::Synced;
    });
}

TEST_CASE("keeper: more is held than a shell's limit of descriptors") {
    rlimit before = {};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit few = before;
    few.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &few);
    Lab lab;
    lab.meet();
    ::setrlimit(RLIMIT_NOFILE, &before);
    lab.synced();
    const auto [socket, port] = listening();
    for (int i = 0; i < 200; ++i) {
        lab.put_socket("tcp/" + std::to_string(i), socket.get());
    }
    lab.publish(1);
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->generation == 1; });
}

TEST_CASE("keeper: SIGTERM ends daemon and workers, and the keeper with 0") {
    Lab lab;
    lab.meet();
    lab.synced();
    ::kill(lab.keeper, SIGTERM);
    int status = -1;
    REQUIRE(::waitpid(lab.keeper, &status, 0) == lab.keeper);
    lab.keeper = -1;
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("keeper: a daemon that refuses its command line ends the keeper with its exit code") {
    Lab lab;
    ::kill(lab.keeper, SIGKILL);
    ::waitpid(lab.keeper, nullptr, 0);
    lab.run({program("penstock-keeper"), "--workers", "1", "--worker-binary", program("pst-keeper-fake"), "--", program("pst-keeper-fake"), "crash", "2"});
    int status = -1;
    REQUIRE(::waitpid(lab.keeper, &status, 0) == lab.keeper);
    lab.keeper = -1;
    CHECK(WEXITSTATUS(status) == 2);
}

TEST_CASE("backoff: the first failure costs nothing, a loop waits longer and longer, a stable run forgives") {
    Backoff backoff;
    backoff.started(0);
    CHECK(backoff.ended(10) == 10);
    std::int64_t now = 10;
    for (const std::int64_t delay : {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
        backoff.started(now);
        CHECK(backoff.ended(now + 1) == now + 1 + delay);
        now += delay;
    }
    backoff.started(now);
    CHECK(backoff.ended(now + 60'000) == now + 60'000);
}

TEST_CASE("keeper: what a snapshot is made of comes with it, to each worker, and is kept") {
    Lab lab;
    lab.meet();
    lab.synced();
    const auto file = [](const std::string& text) { return std::move(sealed_memfd("item", {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()})).value(); };
    const auto put = [](ItemKind kind, const std::string& name) {
        auto one = std::make_unique<PutT>();
        one->kind = kind;
        one->name = name;
        return one;
    };
    // "name=content" of what the worker had with the snapshot.
    const auto brought = [&](bool standby) {
        auto message = lab.await([&](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->generation != 0 && m.body.AsTaken()->standby == standby; });
        std::string out;
        for (const auto& one : message.body.AsTaken()->failed) {
            out += one->part + "=" + one->reason + " ";
        }
        return out;
    };
    lab.publish(1);
    CHECK(brought(true).empty());  // both stand, and nothing is on its way any more
    const Fd early = file("e"), list = file("l"), root = file("r");
    lab.say(*put(ItemKind::Parts, "early"), {early.get()});
    PublishT message;
    message.generation = 2;
    message.root = "root";
    message.brings.push_back(put(ItemKind::Parts, "list"));
    message.brings.push_back(put(ItemKind::Root, "root"));
    lab.say(std::move(message), {list.get(), root.get()});
    CHECK(brought(false) == "early=e list=l root=r ");
    CHECK(brought(true) == "early=e list=l root=r ");
    // What cannot be right is refused as a whole.
    for (const ItemKind kind : {ItemKind::Socket, ItemKind::StatsPage, ItemKind::Parts}) {
        PublishT wrong;
        wrong.generation = 3;
        wrong.root = "root3";
        wrong.brings.push_back(put(kind, "wrong"));
        lab.say(std::move(wrong), kind == ItemKind::Parts ? std::vector<int>{} : std::vector<int>{list.get()});
    }
    // More than one message takes.
    for (std::size_t i = 0; i < kBroughtMax + 1; ++i) {
        lab.say(*put(ItemKind::Parts, "many"), {list.get()});
    }
    lab.publish(4);
    CHECK(brought(false).empty());
    lab.kill_daemon();
    lab.meet();
    std::string held;
    std::uint64_t generation = 0;
    lab.await([&](MessageT& m) {
        held += m.body.AsItem() != nullptr ? m.body.AsItem()->name + " " : "";
        generation = m.body.AsSynced() != nullptr ? m.body.AsSynced()->generation : 0;
        return m.body.AsSynced() != nullptr;
    });
    CHECK(held == "root early list many ");
    CHECK(generation == 4);
}

TEST_CASE("keeper: the worker that serves has a snapshot before the standby is told of it") {
    Lab lab;
    lab.meet();
    lab.synced();
    const auto taken = [&](std::uint64_t generation) {
        const auto message = lab.await([&](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->generation == generation; });
        return message.body.AsTaken()->standby;
    };
    lab.publish(1);
    lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->standby; });
    for (std::uint64_t generation = 2; generation < 40; ++generation) {
        lab.publish(generation);
        CHECK_FALSE(taken(generation));
        CHECK(taken(generation));
    }
}
