// SPDX-License-Identifier: Apache-2.0
// The keeper as a process, with a relay for a daemon, so that the test speaks as the daemon, and with workers that tell their pid.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <thread>

#include "schema/keeper.hpp"
#include "schema/keeper_wire.hpp"
#include "schema/stats_page.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/channel.hpp"
#include "userspace/base/memfd.hpp"
#include "userspace/keeper/backoff.hpp"

using namespace penstock;
using namespace penstock::keeper;

namespace {

std::string program(const char* name) {
    return std::filesystem::read_symlink("/proc/self/exe").replace_filename(name).string();
}

bool readable(int fd, int ms) {
    pollfd polled = {fd, POLLIN, 0};
    return ::poll(&polled, 1, ms) > 0;
}

// A listening TCP socket on loopback, and its port.
std::pair<Fd, std::uint16_t> listening() {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd.get(), 100) == 0);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return {std::move(fd), ntohs(address.sin_port)};
}

Fd connect_to(std::uint16_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

// What the worker says: "PID uid UID"; gives the pid.
pid_t answer_of(const Fd& connection) {
    REQUIRE(readable(connection.get(), 10'000));
    char text[64] = {};
    REQUIRE(::recv(connection.get(), text, sizeof text - 1, 0) > 0);
    if (::geteuid() == 0) {
        CHECK(std::string(text).find(" uid 0") == std::string::npos);
    }
    return std::atoi(text);
}

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

// What a keeper that cannot start says, and its exit code.
std::pair<std::string, int> failed_start(const std::string& options) {
    const std::string line = program("penstock-keeper") + " --workers 1 " + options + " -- /bin/true 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string said(4096, 0);
    said.resize(std::fread(said.data(), 1, said.size(), pipe));
    return {said, WEXITSTATUS(::pclose(pipe))};
}

class Lab {
public:
    explicit Lab(std::vector<std::string> keeper_options = {}) {
        char pattern[] = "/tmp/pst-keeper-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        listener_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s/daemon", folder_.c_str());
        REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_.get(), 4) == 0);
        std::vector<std::string> argv = {program("penstock-keeper"), "--workers", "1", "--worker-binary", program("pst-keeper-fake"), "--drain-ms", "1000"};
        argv.insert(argv.end(), keeper_options.begin(), keeper_options.end());
        argv.insert(argv.end(), {"--", program("pst-keeper-fake"), "daemon", address.sun_path});
        run(argv);
    }
    ~Lab() {
        if (keeper_ > 0) {
            ::kill(keeper_, SIGKILL);
            ::waitpid(keeper_, nullptr, 0);
        }
        std::filesystem::remove_all(folder_);
    }

    void run(std::vector<std::string> argv) {
        std::vector<char*> pointers;
        for (std::string& one : argv) {
            pointers.push_back(one.data());
        }
        pointers.push_back(nullptr);
        keeper_ = ::fork();
        if (keeper_ == 0) {
            ::execv(pointers[0], pointers.data());
            ::_exit(127);
        }
    }
    // The relay that the keeper has started; says Hello and reads up to Synced.
    void meet(std::uint32_t version = kProtocolVersion) {
        REQUIRE(readable(listener_.get(), 10'000));
        daemon_ = Fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        HelloT hello;
        hello.version = version;
        hello.role = "daemon";
        say(hello);
    }
    template <class Table>
    void say(Table table, std::vector<int> sent = {}) {
        REQUIRE(channel_send(daemon_.get(), encode(std::move(table)), sent).ok());
    }
    void put_socket(const std::string& name, int fd) {
        PutT put;
        put.kind = ItemKind::Socket;
        put.name = name;
        say(put, {fd});
    }
    void publish(std::uint64_t generation) {
        PublishT message;
        message.generation = generation;
        message.root = "root";
        say(message);
    }
    // Reads messages until `wanted` says yes; the message it said it of.
    MessageT await(const std::function<bool(MessageT&)>& wanted) {
        for (int i = 0; i < 1000; ++i) {
            REQUIRE(readable(daemon_.get(), 10'000));
            auto received = channel_receive(daemon_.get());
            REQUIRE(received.ok());
            auto message = decode(received->bytes);
            REQUIRE(message != nullptr);
            fds = std::move(received->fds);
            if (wanted(*message)) {
                return std::move(*message);
            }
        }
        FAIL("the message did not come");
        return {};
    }
    void synced() {
        await([](MessageT& m) { return m.body.type == Body::Synced; });
    }
    pid_t worker_in(WorkerState state) {
        return await([&](MessageT& m) { return m.body.AsWorkerEvent() != nullptr && m.body.AsWorkerEvent()->state == state; }).body.AsWorkerEvent()->pid;
    }
    void kill_daemon() {
        // The relay is the keeper's child with our socket: it dies of a hang-up as of a crash.
        daemon_.reset();
    }

    std::vector<Fd> fds;
    pid_t keeper_ = -1;

private:
    std::string folder_;
    Fd listener_;
    Fd daemon_;
};

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
    ::kill(lab.keeper_, SIGHUP);
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
            ::kill(lab.keeper_, number);
            CHECK(writers_of(path, 2) == writers);
        }
        std::filesystem::rename(path, path + ".1");
        ::kill(lab.keeper_, SIGHUP);  // and those of the new standby
        CHECK(writers_of(path, 3).size() == 3);
        // One that cannot be opened changes nothing.
        std::filesystem::remove(path);
        std::filesystem::create_directory(path);
        ::kill(lab.keeper_, SIGUSR1);
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

TEST_CASE("keeper: SIGTERM ends daemon and workers, and the keeper with 0") {
    Lab lab;
    lab.meet();
    lab.synced();
    ::kill(lab.keeper_, SIGTERM);
    int status = -1;
    REQUIRE(::waitpid(lab.keeper_, &status, 0) == lab.keeper_);
    lab.keeper_ = -1;
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("keeper: a daemon that refuses its command line ends the keeper with its exit code") {
    Lab lab;
    ::kill(lab.keeper_, SIGKILL);
    ::waitpid(lab.keeper_, nullptr, 0);
    lab.run({program("penstock-keeper"), "--workers", "1", "--worker-binary", program("pst-keeper-fake"), "--", program("pst-keeper-fake"), "crash", "2"});
    int status = -1;
    REQUIRE(::waitpid(lab.keeper_, &status, 0) == lab.keeper_);
    lab.keeper_ = -1;
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
