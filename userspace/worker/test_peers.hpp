// SPDX-License-Identifier: Apache-2.0
// For tests of the worker: backends and clients with blocking sockets.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tools/test/catch.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::worker::testing {

inline Fd bound(int type, std::uint16_t& port, bool listening = true) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_storage address;
    const socklen_t size = Endpoint{*IpAddress::parse("127.0.0.1"), port}.to_sockaddr(address);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (type == SOCK_STREAM && listening) {
        REQUIRE(::listen(fd.get(), 1024) == 0);
    }
    socklen_t length = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = Endpoint::from_sockaddr(address)->port;
    return fd;
}

class Client {
public:
    explicit Client(std::uint16_t port, int type = SOCK_STREAM) : fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
        sockaddr_storage address;
        const socklen_t size = Endpoint{*IpAddress::parse("127.0.0.1"), port}.to_sockaddr(address);
        const timeval patience = {20, 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        connected = ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0;
    }
    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // Up to the end of the stream, or an error.
    std::string rest() {
        while (more()) {
        }
        return std::exchange(kept_, {});
    }
    std::string until(std::string_view mark) {
        std::size_t at = 0;
        while ((at = kept_.find(mark)) == std::string::npos) {
            if (!more()) {
                return std::exchange(kept_, {});
            }
        }
        std::string text = kept_.substr(0, at + mark.size());
        kept_.erase(0, at + mark.size());
        return text;
    }
    std::string exactly(std::size_t size) {
        while (kept_.size() < size && more()) {
        }
        std::string text = kept_.substr(0, size);
        kept_.erase(0, size);
        return text;
    }
    struct Answer {
        int status = 0;
        std::string head, body;
        [[nodiscard]] std::string header(const std::string& name) const {
            const std::size_t at = head.find("\r\n" + name + ": ");
            return at == std::string::npos ? "" : head.substr(at + name.size() + 4, head.find("\r\n", at + 2) - at - name.size() - 4);
        }
    };
    // One response with Content-Length or chunks; `no_body` for HEAD.
    Answer answer(bool no_body = false) {
        Answer result;
        result.head = until("\r\n\r\n");
        result.status = result.head.size() > 12 ? std::atoi(result.head.substr(9, 3).c_str()) : 0;
        if (no_body || result.status / 100 == 1 || result.status == 204 || result.status == 304) {
            return result;
        }
        if (result.header("Transfer-Encoding") == "chunked") {
            for (;;) {
                const std::size_t size = std::stoul(until("\r\n"), nullptr, 16);
                if (size == 0) {
                    break;
                }
                result.body += exactly(size);
                until("\r\n");
            }
            result.body += until("\r\n") == "\r\n" ? "" : "|trailers";
        } else if (!result.header("Content-Length").empty()) {
            result.body = exactly(std::stoul(result.header("Content-Length")));
        } else {
            result.body = rest();
        }
        return result;
    }
    void shutdown() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    [[nodiscard]] int fd() const { return fd_.get(); }
    bool connected = false;

private:
    bool more() {
        char buffer[65536];
        const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        if (got <= 0) {
            return false;
        }
        kept_.append(buffer, static_cast<std::size_t>(got));
        return true;
    }
    Fd fd_;
    std::string kept_;
};

// A TCP server whose connections each run `serve` on a thread of their own, given the connected socket.
class Backend {
public:
    explicit Backend(std::function<void(int)> serve) : serve_(std::move(serve)), listener_(bound(SOCK_STREAM, port)) {
        thread_ = std::thread([this] {
            for (;;) {
                const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
                if (stopping_ || fd < 0) {
                    ::close(fd);
                    return;
                }
                ++connections;
                threads_.emplace_back([this, fd] {
                    const timeval patience = {20, 0};
                    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
                    serve_(fd);
                    ::close(fd);
                });
            }
        });
    }
    ~Backend() {
        stopping_ = true;
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        for (auto& thread : threads_) {
            thread.join();
        }
    }
    std::uint16_t port = 0;
    std::atomic<int> connections = 0;

private:
    std::function<void(int)> serve_;
    Fd listener_;
    std::atomic<bool> stopping_ = false;
    std::vector<std::thread> threads_;
    std::thread thread_;
};

// Reads a request's head (and a body of known length) from a blocking socket; empty at the end.
inline std::string read_request(int fd) {
    std::string text;
    char byte[65536];
    while (text.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(fd, byte, sizeof byte, 0);
        if (got <= 0) {
            return {};
        }
        text.append(byte, static_cast<std::size_t>(got));
    }
    const std::size_t at = text.find("\r\nContent-Length: ");
    const std::size_t head = text.find("\r\n\r\n") + 4;
    if (at != std::string::npos && at < head) {
        const std::size_t wanted = head + std::stoul(text.substr(at + 18));
        while (text.size() < wanted) {
            const ssize_t got = ::recv(fd, byte, sizeof byte, 0);
            if (got <= 0) {
                return {};
            }
            text.append(byte, static_cast<std::size_t>(got));
        }
    }
    return text;
}

inline bool send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

inline std::string response(std::string_view body, std::string_view more = "") {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(more) + "\r\n" + std::string(body);
}

// Answers every request with `NAME` and what it got, keep-alive.
inline std::function<void(int)> echo_http(const std::string& name) {
    return [name](int fd) {
        for (std::string request = read_request(fd); !request.empty(); request = read_request(fd)) {
            if (!send_all(fd, response(name + "\n" + request))) {
                return;
            }
        }
    };
}

}  // namespace penstock::worker::testing
