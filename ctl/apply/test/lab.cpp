// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/test/lab.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace penstock::lab {

namespace {

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

Namespace::Namespace() {
    std::thread([this] {
        if (unshare(CLONE_NEWNET) != 0) {
            return;
        }
        fd_.reset(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    }).join();
    if (!fd_.valid()) {
        fail("make a network namespace");
    }
    sh("ip link set lo up");
}

void Namespace::run(const std::function<void()>& body) const {
    std::exception_ptr failure;
    std::thread([&] {
        try {
            if (setns(fd_.get(), CLONE_NEWNET) != 0) {
                fail("enter a network namespace");
            }
            body();
        } catch (...) {
            failure = std::current_exception();
        }
    }).join();
    if (failure) {
        std::rethrow_exception(failure);
    }
}

void Namespace::sh(const std::string& command) const {
    run([&] { lab::sh(command); });
}

std::string Namespace::path() const { return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get()); }

void sh(const std::string& command) {
    if (std::system(command.c_str()) != 0) {
        throw std::runtime_error("failed: " + command);
    }
}

PinDir::PinDir() {
    struct statfs info {};
    if (statfs("/sys/fs/bpf", &info) == 0 && info.f_type != 0xcafe4a11 && mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) != 0) {
        fail("mount /sys/fs/bpf");
    }
    static int number = 0;
    path_ = "/sys/fs/bpf/pst-test-" + std::to_string(getpid()) + "-" + std::to_string(number++);
}

PinDir::~PinDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

// ---- servers and clients ----------------------------------------------------------------------------------------------

namespace {

Fd bound(int type, std::uint16_t port) {
    Fd fd(socket(AF_INET6, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    const int off = 0;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(port);
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof(any)) != 0 || (type == SOCK_STREAM && listen(fd.get(), 64) != 0)) {
        fail("listen");
    }
    return fd;
}

}  // namespace

EchoServer::EchoServer(const Namespace& where, std::string name, std::uint16_t port) : name_(std::move(name)), stop_(eventfd(0, EFD_CLOEXEC)) {
    Fd listener;
    Fd udp;
    where.run([&] {
        listener = bound(SOCK_STREAM, port);
        udp = bound(SOCK_DGRAM, port);
    });
    thread_ = std::thread([this, listener = std::move(listener), udp = std::move(udp)] { serve(listener.get(), udp.get()); });
}

EchoServer::~EchoServer() {
    const std::uint64_t one = 1;
    (void)!write(stop_.get(), &one, sizeof(one));
    thread_.join();
}

void EchoServer::serve(int listener, int udp) {
    std::map<int, Fd> clients;
    char buffer[4096];
    for (;;) {
        std::vector<pollfd> polls{{stop_.get(), POLLIN, 0}, {listener, POLLIN, 0}, {udp, POLLIN, 0}};
        for (const auto& [fd, owner] : clients) {
            polls.push_back({fd, POLLIN, 0});
        }
        poll(polls.data(), polls.size(), -1);
        if (polls[0].revents != 0) {
            return;
        }
        if (polls[1].revents != 0) {
            Fd client(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
            clients.emplace(client.get(), std::move(client));
        }
        if (polls[2].revents != 0) {
            sockaddr_storage from{};
            socklen_t size = sizeof(from);
            const ssize_t got = recvfrom(udp, buffer, sizeof(buffer), 0, reinterpret_cast<sockaddr*>(&from), &size);
            const std::string answer = name_ + " " + std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            sendto(udp, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
        }
        for (std::size_t i = 3; i < polls.size(); ++i) {
            if (polls[i].revents == 0) {
                continue;
            }
            const ssize_t got = recv(polls[i].fd, buffer, sizeof(buffer), 0);
            const std::string answer = name_ + " " + std::string(buffer, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
            if (got <= 0 || send(polls[i].fd, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) {
                clients.erase(polls[i].fd);
            }
        }
    }
}

Fd connect_to(const Namespace& from, const Endpoint& to, int type) {
    Fd fd;
    from.run([&] {
        fd.reset(socket(to.address.family == Family::v4 ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0));
        const timeval patience{.tv_sec = 5, .tv_usec = 0};
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        sockaddr_storage address{};
        const socklen_t size = to.to_sockaddr(address);
        if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
            fd.reset();
        }
    });
    return fd;
}

std::string ask(int fd, const std::string& text, bool udp) {
    char buffer[4096];
    for (int attempt = 0; attempt < (udp ? 5 : 1); ++attempt) {
        if (fd < 0 || send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) {
            return {};
        }
        pollfd one{fd, POLLIN, 0};
        if (poll(&one, 1, udp ? 1000 : 5000) == 1) {
            const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
            return got > 0 ? std::string(buffer, static_cast<std::size_t>(got)) : std::string();
        }
    }
    return {};
}

}  // namespace penstock::lab
