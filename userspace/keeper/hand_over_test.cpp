// SPDX-License-Identifier: Apache-2.0
// Two keepers, one after the other.
#include "userspace/keeper/hand_over.hpp"

#include <poll.h>

#include <chrono>
#include <memory>
#include <thread>
#include <tuple>

#include "schema/stats_page.hpp"
#include "tools/test/folder.hpp"
#include "userspace/keeper/testing.hpp"

using namespace penstock;
using namespace penstock::keeper;
using namespace penstock::keeper::testing;

namespace {

// Waits for the end of a process that is no child of ours.
bool ends(pid_t process) {
    for (int i = 0; i < 1000 && ::kill(process, 0) == 0; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return ::kill(process, 0) != 0;
}

// The exit code of the keeper that ends now.
int code_of(Lab& lab) {
    int status = -1;
    REQUIRE(::waitpid(lab.keeper, &status, 0) == lab.keeper);
    lab.keeper = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// The next worker to say that it has taken what is published.
pid_t builds(Lab& lab) {
    return lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr; }).body.AsTaken()->pid;
}

// And that serves it.
pid_t serves(Lab& lab) {
    return lab.await([](MessageT& m) { return m.body.AsTaken() != nullptr && !m.body.AsTaken()->standby; }).body.AsTaken()->pid;
}

Fd seqpacket(const std::string& path, bool listens) {
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path.c_str());
    if (listens) {
        REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket.get(), 1) == 0);
    } else {
        REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    return socket;
}

// Served by a keeper that hands over at a socket in `folder`.
struct Before {
    explicit Before(const test::TestFolder& folder) : path((folder.path() / "keeper.sock").string()), lab(std::make_unique<Lab>(std::vector<std::string>{"--hand-over", path})) {
        lab->meet();
        lab->synced();
        std::tie(socket, port) = listening();
        lab->put_socket("tcp/one", socket.get());
        lab->publish(7);
        serves(*lab);
        socket.reset();  // the keepers alone hold it now
    }
    std::string path;
    std::unique_ptr<Lab> lab;
    Fd socket;
    std::uint16_t port = 0;
};

}  // namespace

TEST_CASE("keeper: another one takes over what is held, and no connection is lost") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t first = answer_of(connect_to(before.port));

    Lab after({"--hand-over", before.path});
    after.meet();
    after.say(ReadyT{});
    after.await([](MessageT& m) { return m.body.AsItem() != nullptr && m.body.AsItem()->kind == ItemKind::Socket && m.body.AsItem()->name == "tcp/one"; });
    after.await([](MessageT& m) { return m.body.AsSynced() != nullptr && m.body.AsSynced()->generation == 7 && m.body.AsSynced()->root == "root"; });
    const pid_t second = serves(after);
    CHECK(second != first);
    CHECK(ends(first));  // drained
    for (int i = 0; i < 5; ++i) {
        CHECK(answer_of(connect_to(before.port)) == second);
    }
    // The one before waits for its end, whoever goes on; and there can be a third.
    CHECK(::waitpid(before.lab->keeper, nullptr, WNOHANG) == 0);
    ::kill(before.lab->keeper, SIGTERM);
    CHECK(code_of(*before.lab) == 0);
    Lab third({"--hand-over", before.path});
    third.meet();
    third.say(ReadyT{});
    serves(third);
    ::kill(after.keeper, SIGTERM);
    CHECK(code_of(after) == 0);
    CHECK(answer_of(connect_to(before.port)) > 0);
    ::kill(third.keeper, SIGTERM);
    CHECK(code_of(third) == 0);
    CHECK_FALSE(std::filesystem::exists(before.path));
}

TEST_CASE("keeper: counters go on over a hand-over, unless their page is of another layout") {
    const test::TestFolder folder;
    Before before(folder);
    const bool same = GENERATE(true, false);
    before.lab->kill_daemon();
    before.lab->meet();
    before.lab->await([](MessageT& m) { return m.body.AsPut() != nullptr && m.body.AsPut()->kind == ItemKind::StatsPage; });
    const std::uint32_t mark = 0x12345678;
    REQUIRE(::pwrite(before.lab->fds.at(0).get(), &mark, sizeof mark, sizeof(StatsPage) - sizeof mark) == sizeof mark);
    if (!same) {
        REQUIRE(::pwrite(before.lab->fds.at(0).get(), &mark, sizeof mark, 0) == sizeof mark);
    }
    Lab after({"--hand-over", before.path});
    after.meet();
    after.await([](MessageT& m) { return m.body.AsPut() != nullptr && m.body.AsPut()->kind == ItemKind::StatsPage; });
    std::uint32_t there = 0;
    CHECK(::pread(after.fds.at(0).get(), &there, sizeof there, sizeof(StatsPage) - sizeof there) == sizeof there);
    CHECK(there == (same ? mark : 0));
}

TEST_CASE("keeper: one that takes over and dies before it serves leaves everything to the one before") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t worker = answer_of(connect_to(before.port));
    {
        // A successor of ours, which asks and goes.
        const Fd asking = seqpacket(before.path, false);
        HelloT hello;
        hello.version = kHandOverVersion;
        hello.role = kRoleSuccessor;
        REQUIRE(channel_send(asking.get(), encode(hello)).ok());
        for (;;) {
            auto received = channel_receive(asking.get());
            REQUIRE(received.ok());
            if (decode(received->bytes)->body.type == Body::Synced) {
                break;
            }
        }
    }
    before.lab->meet();  // its daemon, started again
    before.lab->await([](MessageT& m) { return m.body.AsItem() != nullptr && m.body.AsItem()->name == "tcp/one"; });
    CHECK(answer_of(connect_to(before.port)) == worker);
    // It can still hand over.
    Lab after({"--hand-over", before.path});
    after.meet();
    after.say(ReadyT{});
    const pid_t second = serves(after);
    CHECK(second != worker);
}

TEST_CASE("keeper: one whose daemon cannot start ends, and the one before goes on and can be followed") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t worker = answer_of(connect_to(before.port));
    for (const char* code : {"2", "3"}) {
        const std::string line = program("penstock-keeper") + " --workers 1 --worker-binary " + program("pst-keeper-fake") + " --hand-over " + before.path +
                                 " -- " + program("pst-keeper-fake") + " crash " + code + " >/dev/null 2>&1";
        const int status = std::system(line.c_str());
        CHECK(WEXITSTATUS(status) == std::atoi(code));
        before.lab->meet();
        CHECK(answer_of(connect_to(before.port)) == worker);
    }
    Lab after({"--hand-over", before.path});
    after.meet();
    const pid_t next = builds(after);
    for (int i = 0; i < 10; ++i) {
        CHECK(answer_of(connect_to(before.port)) == worker);  // the other is ready, but its daemon may still fail, and would take connections along
    }
    after.say(ReadyT{});
    CHECK(serves(after) == next);
    CHECK(ends(worker));
    CHECK(answer_of(connect_to(before.port)) == next);
}

TEST_CASE("keeper: what a worker refused before it was to serve is said again when it is") {
    const test::TestFolder folder;
    Before before(folder);
    before.lab->publish(8, "junk");
    Lab after({"--hand-over", before.path});
    after.meet();
    for (const bool standby : {true, false}) {
        if (!standby) {
            after.say(ReadyT{});
        }
        const MessageT said = after.await([&](MessageT& m) { return m.body.AsTaken() != nullptr && m.body.AsTaken()->standby == standby; });
        CHECK(said.body.AsTaken()->generation == 8);
        CHECK(said.body.AsTaken()->refused == "it is junk");
    }
}

TEST_CASE("keeper: one that loses the one before serves, whether its daemon has started or not") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t first = answer_of(connect_to(before.port));
    Lab after({"--hand-over", before.path});
    after.meet();
    builds(after);
    ::kill(before.lab->keeper, SIGKILL);
    CHECK(code_of(*before.lab) == -1);
    ::kill(first, SIGKILL);
    serves(after);
    CHECK(answer_of(connect_to(before.port)) != first);
}

TEST_CASE("keeper: one that is ended while the next waits for its daemon lets it serve, before its own connections have ended") {
    const test::TestFolder folder;
    ::setenv("PST_FAKE_DRAIN_S", "60", 1);
    Before before(folder);
    ::unsetenv("PST_FAKE_DRAIN_S");
    const pid_t first = answer_of(connect_to(before.port));
    Lab after({"--hand-over", before.path});
    after.meet();
    const pid_t next = builds(after);
    ::kill(before.lab->keeper, SIGTERM);
    CHECK(serves(after) == next);
    CHECK(::kill(first, 0) == 0);  // it drains
    CHECK(answer_of(connect_to(before.port)) == next);
}

TEST_CASE("keeper: one that has taken over and dies is followed by the one before") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t first = answer_of(connect_to(before.port));
    const int number = GENERATE(SIGKILL, SIGTERM);
    {
        Lab after({"--hand-over", before.path});
        after.meet();
        after.say(ReadyT{});
        REQUIRE(ends(first));
        ::kill(after.keeper, number);
        before.lab->meet();
        before.lab->synced();
        CHECK(answer_of(connect_to(before.port)) != first);
    }
    Lab after({"--hand-over", before.path});
    after.meet();
    after.say(ReadyT{});
    CHECK(answer_of(connect_to(before.port)) > 0);
}

TEST_CASE("keeper: one that dies while the next waits for its daemon is followed by that one alone") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t first = answer_of(connect_to(before.port));
    Lab between({"--hand-over", before.path});
    between.meet();
    const bool served = GENERATE(true, false);
    const pid_t second = builds(between);
    if (served) {
        between.say(ReadyT{});
        REQUIRE(ends(first));
    }
    Lab last({"--hand-over", before.path});
    last.meet();
    const pid_t newest = builds(last);
    ::kill(between.keeper, SIGKILL);
    CHECK(code_of(between) == -1);
    ::kill(second, SIGKILL);
    CHECK(serves(last) == newest);
    CHECK_FALSE(before.lab->starts_daemon(1'000));
    CHECK(ends(first));
    for (int i = 0; i < 20; ++i) {
        CHECK(answer_of(connect_to(before.port)) == newest);
    }
}

TEST_CASE("keeper: one that has lost the next and then dies is followed by the one before") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t first = answer_of(connect_to(before.port));
    Lab between({"--hand-over", before.path});
    between.meet();
    between.say(ReadyT{});
    const pid_t second = serves(between);
    REQUIRE(ends(first));
    const bool stopped = GENERATE(false, true);
    {
        Lab last({"--hand-over", before.path});
        last.meet();
        builds(last);
        if (stopped) {
            ::kill(between.keeper, SIGTERM);  // it would let the last one serve
        }
    }
    if (!stopped) {
        between.meet();  // its daemon, started again
        ::kill(between.keeper, SIGKILL);
        CHECK(code_of(between) == -1);
        ::kill(second, SIGKILL);
    }
    before.lab->meet();
}

TEST_CASE("keeper: one that is taken over from before its daemon goes on takes the one before it along") {
    const test::TestFolder folder;
    Before before(folder);
    const pid_t first = answer_of(connect_to(before.port));
    Lab between({"--hand-over", before.path});
    between.meet();
    between.synced();  // and never ready
    Lab last({"--hand-over", before.path});
    last.meet();
    last.say(ReadyT{});
    const pid_t newest = serves(last);
    CHECK(ends(first));
    for (int i = 0; i < 10; ++i) {
        CHECK(answer_of(connect_to(before.port)) == newest);
    }
    // And the next one asks the last, not the first.
    Lab next({"--hand-over", before.path});
    next.meet();
    next.say(ReadyT{});
    CHECK(ends(newest));
}

TEST_CASE("keeper: who connects to take over and says nothing does not keep others from it") {
    const test::TestFolder folder;
    Before before(folder);
    const Fd silent = seqpacket(before.path, false);
    pollfd closed = {silent.get(), POLLIN, 0};
    REQUIRE(::poll(&closed, 1, 10'000) == 1);
    Lab after({"--hand-over", before.path});
    after.meet();
    after.say(ReadyT{});
    serves(after);
}

TEST_CASE("keeper: what cannot be taken over ends the start, and the one before goes on") {
    const test::TestFolder folder;
    struct Case {
        const char* what;
        std::vector<std::uint8_t> answer;  // to its Hello
        const char* said;
    };
    RefusedT refused;
    refused.reason = "it speaks version 99, not 1";
    const std::vector<Case> cases = {
        {"another version", encode(refused), "it speaks version 99"},
        {"no message", {'j', 'u', 'n', 'k'}, "sent bytes that are no message"},
        {"nothing", {}, "closed its channel"},
    };
    for (const Case& one : cases) {
        INFO(one.what);
        const std::string path = (folder.path() / "keeper.sock").string();
        std::filesystem::remove(path);
        const Fd listener = seqpacket(path, true);
        std::thread other([&] {
            const Fd channel(::accept(listener.get(), nullptr, nullptr));
            (void)channel_receive(channel.get());
            if (!one.answer.empty()) {
                ::send(channel.get(), one.answer.data(), one.answer.size(), MSG_NOSIGNAL);
            }
        });
        const auto [said, code] = failed_start("--hand-over " + path);
        other.join();
        CHECK(code == kExitFailed);
        CHECK(said.find(one.said) != std::string::npos);
        CHECK(said.find("hint: stop it first") != std::string::npos);
    }
    // Nobody listens any more at a path that is still there.
    Lab lab({"--hand-over", (folder.path() / "keeper.sock").string()});
    lab.meet();
    lab.synced();
}

