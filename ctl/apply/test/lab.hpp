// SPDX-License-Identifier: Apache-2.0
// Network namespaces of a test, by descriptor: they have no name, and end with it. Traffic never leaves them.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "userspace/base/fd.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::lab {

class Namespace {
public:
    Namespace();
    // Runs `body` in a thread that is in the namespace; sockets that it opens stay there.
    void run(const std::function<void()>& body) const;
    // A shell command in the namespace; the test fails if it does.
    void sh(const std::string& command) const;
    // As `ip ... netns PATH` takes it.
    [[nodiscard]] std::string path() const;

private:
    Fd fd_;
};

void sh(const std::string& command);

// A pin folder of this process, mounted if need be and removed at the end.
class PinDir {
public:
    PinDir();
    ~PinDir();
    PinDir(const PinDir&) = delete;
    PinDir& operator=(const PinDir&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

// Answers TCP connections and UDP packets on one port of a namespace with its name and what it got, until it ends.
class EchoServer {
public:
    EchoServer(const Namespace& where, std::string name, std::uint16_t port);
    ~EchoServer();
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;

private:
    void serve(int listener, int udp);

    std::string name_;
    Fd stop_;
    std::thread thread_;
};

// A client's socket, connected within five seconds; none if that failed.
Fd connect_to(const Namespace& from, const Endpoint& to, int type);
// What comes back for `text`: "name text"; empty after five seconds. UDP asks again once a second.
std::string ask(int fd, const std::string& text, bool udp);

}  // namespace penstock::lab
