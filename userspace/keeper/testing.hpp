// SPDX-License-Identifier: Apache-2.0
// The keeper as a process, with a relay for a daemon, so that the test speaks as the daemon, and with workers that tell their pid.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "schema/keeper.hpp"
#include "schema/keeper_wire.hpp"
#include "tools/test/catch.hpp"
#include "userspace/base/channel.hpp"

namespace penstock::keeper::testing {

inline std::string program(const char* name) {
    return std::filesystem::read_symlink("/proc/self/exe").replace_filename(name).string();
}

inline bool readable(int fd, int ms) {
    pollfd polled = {fd, POLLIN, 0};
    return ::poll(&polled, 1, ms) > 0;
}

// A listening TCP socket on loopback, and its port.
inline std::pair<Fd, std::uint16_t> listening() {
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

inline Fd connect_to(std::uint16_t port) {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

// What the worker says: "PID uid UID"; gives the pid.
inline pid_t answer_of(const Fd& connection) {
    REQUIRE(readable(connection.get(), 10'000));
    char text[64] = {};
    REQUIRE(::recv(connection.get(), text, sizeof text - 1, 0) > 0);
    if (::geteuid() == 0) {
        CHECK(std::string(text).find(" uid 0") == std::string::npos);
    }
    return std::atoi(text);
}

// What a keeper that cannot start says, and its exit code.
inline std::pair<std::string, int> failed_start(const std::string& options) {
    const std::string line = program("penstock-keeper") + " --workers 1 " + options + " -- /bin/true 2>&1";
    FILE* pipe = ::popen(line.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string said(4096, 0);
    said.resize(std::fread(said.data(), 1, said.size(), pipe));
    return {said, WEXITSTATUS(::pclose(pipe))};
}

class Lab {
public:
    explicit Lab(std::vector<std::string> options = {}) {
        char pattern[] = "/tmp/pst-keeper-XXXXXX";
        folder_ = ::mkdtemp(pattern);
        listener_ = Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::snprintf(address.sun_path, sizeof address.sun_path, "%s/daemon", folder_.c_str());
        REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_.get(), 4) == 0);
        std::vector<std::string> argv = {program("penstock-keeper"), "--workers", "1", "--worker-binary", program("pst-keeper-fake"), "--drain-ms", "1000"};
        argv.insert(argv.end(), options.begin(), options.end());
        argv.insert(argv.end(), {"--", program("pst-keeper-fake"), "daemon", address.sun_path});
        run(argv);
    }
    Lab(const Lab&) = delete;
    ~Lab() {
        if (keeper > 0) {
            ::kill(keeper, SIGKILL);
            ::waitpid(keeper, nullptr, 0);
        }
        std::filesystem::remove_all(folder_);
    }

    void run(std::vector<std::string> argv) {
        std::vector<char*> pointers;
        for (std::string& one : argv) {
            pointers.push_back(one.data());
        }
        pointers.push_back(nullptr);
        keeper = ::fork();
        if (keeper == 0) {
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
    [[nodiscard]] bool starts_daemon(int within_ms) const { return readable(listener_.get(), within_ms); }
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
    void publish(std::uint64_t generation, const char* root = "root") {
        PublishT message;
        message.generation = generation;
        message.root = root;
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
    pid_t keeper = -1;

private:
    std::string folder_;
    Fd listener_;
    Fd daemon_;
};

}  // namespace penstock::keeper::testing
