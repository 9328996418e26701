// SPDX-License-Identifier: Apache-2.0
// For tests only: plain blocking peers: a backend that is scripted by a function, and a client that says bytes and reads answers.
#pragma once

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tools/test/catch.hpp"
#include "userspace/base/assert.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/http/headers.hpp"

namespace penstock::proxy::testing {

using namespace std::chrono_literals;

inline constexpr int kPatienceMs = 10'000;  // of a peer in a test: long past any deadline of ours

inline Endpoint loopback(std::uint16_t port = 0) { return {IpAddress::v4(INADDR_LOOPBACK), port}; }

inline Endpoint local_of(int fd) {
    sockaddr_storage name{};
    socklen_t size = sizeof name;
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) == 0);
    return *Endpoint::from_sockaddr(name);
}

inline Fd bound(int type) {
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    sockaddr_storage name{};
    const socklen_t size = loopback().to_sockaddr(name);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0);
    return fd;
}
inline Fd listening(int backlog = 128) {
    Fd fd = bound(SOCK_STREAM);
    REQUIRE(::listen(fd.get(), backlog) == 0);
    return fd;
}

// A ring that dies on this thread interrupts system calls: again, then.
template <class Call>
auto uninterrupted(Call call) {
    for (;;) {
        const auto result = call();
        if (result >= 0 || errno != EINTR) {
            return result;
        }
    }
}

// Where nobody listens, nor will: the port stays ours to the end, or another test that runs meanwhile could get it.
inline Endpoint nobody() {
    static std::vector<Fd> held;
    return local_of(held.emplace_back(bound(SOCK_STREAM)).get());
}

struct Message {
    std::string head;   // with its empty line; empty: the peer ended first
    std::string body;   // decoded
    std::string trailers;
    bool whole = false;

    [[nodiscard]] int status() const { return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3)); }
    [[nodiscard]] std::string start() const { return head.substr(0, head.find("\r\n")); }
    // The values of a field, joined by "|"; "-" if there is none.
    [[nodiscard]] std::string field(std::string_view name) const {
        std::string all;
        for (std::size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
            const std::size_t end = head.find("\r\n", at);
            const std::string_view line = std::string_view(head).substr(at, end - at);
            if (http::equals_ignoring_case(line.substr(0, line.find(':')), name)) {
                all += (all.empty() ? "" : "|") + std::string(line.substr(line.find(':') + 2));
            }
            at = end + 2;
        }
        return all.empty() ? "-" : all;
    }
};

class Peer {
public:
    explicit Peer(Fd fd) : fd_(std::move(fd)) {
        const timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        const int on = 1;
        ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    static Peer connect(const Endpoint& to) {
        Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_storage name{};
        const socklen_t size = to.to_sockaddr(name);
        const bool connected = ::connect(fd.get(), reinterpret_cast<sockaddr*>(&name), size) == 0;
        PST_ASSERT(connected);  // not the framework's: this runs on any thread
        return Peer(std::move(fd));
    }

    bool send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t sent = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR) {
                continue;
            }
            if (sent <= 0) {
                return false;
            }
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }
    // One read into the buffer. False: the end, an error, or no patience left.
    bool more() {
        char bytes[16384];
        ssize_t got = 0;
        do {  // a ring that dies on this thread interrupts it
            got = ::recv(fd_.get(), bytes, sizeof bytes, 0);
        } while (got < 0 && errno == EINTR);
        error_ = got < 0 ? errno : 0;
        if (got <= 0) {
            return false;
        }
        received_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }
    // `count` bytes, or fewer at the end.
    std::string take(std::size_t count) {
        while (received_.size() < count && more()) {
        }
        std::string taken = received_.substr(0, count);
        received_.erase(0, taken.size());
        return taken;
    }
    std::string take_until(std::string_view mark) {
        std::size_t searched = 0;
        for (;;) {
            const std::size_t at = received_.find(mark, searched);
            if (at != std::string::npos) {
                return take(at + mark.size());
            }
            searched = received_.size() < mark.size() ? 0 : received_.size() - mark.size() + 1;
            if (!more()) {
                return {};
            }
        }
    }
    std::string rest() {
        while (more()) {
        }
        return std::exchange(received_, {});
    }
    // A request, or the response to a request of that method.
    Message message(std::string_view method = "GET") {
        Message message;
        message.head = take_until("\r\n\r\n");
        if (message.head.empty()) {
            return message;
        }
        const bool response = message.head.starts_with("HTTP/");
        const int status = response ? message.status() : 0;
        if (response && (method == "HEAD" || status == 204 || status == 304 || status < 200)) {
            message.whole = true;
        } else if (message.field("Transfer-Encoding") == "chunked") {
            chunks(message);
        } else if (const std::string length = message.field("Content-Length"); length != "-") {
            const std::size_t size = std::stoul(length);
            message.body = take(size);
            message.whole = message.body.size() == size;
        } else if (response) {
            message.body = rest();
            message.whole = error_ == 0;
        } else {
            message.whole = true;
        }
        return message;
    }
    Message ask(std::string_view text, std::string_view method = "GET") {
        send(text);
        return message(method);
    }
    // True if the peer ends the connection (or resets it) before it says anything more.
    bool ended() { return received_.empty() && !more() && error_ != EAGAIN; }
    [[nodiscard]] int error() const { return error_; }
    void send_urgent(char byte) { ::send(fd_.get(), &byte, 1, MSG_OOB | MSG_NOSIGNAL); }
    void end_sending() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_.reset(); }
    void reset() {
        const linger hard{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        fd_.reset();
    }
    [[nodiscard]] int fd() const { return fd_.get(); }

private:
    void chunks(Message& message) {
        for (;;) {
            const std::string line = take_until("\r\n");
            if (line.empty()) {
                return;
            }
            const std::size_t size = std::stoul(line, nullptr, 16);
            if (size == 0) {
                break;
            }
            const std::string chunk = take(size);
            message.body += chunk;
            if (chunk.size() != size || take(2) != "\r\n") {
                return;
            }
        }
        for (std::string line = take_until("\r\n"); !line.empty(); line = take_until("\r\n")) {
            if (line == "\r\n") {
                message.whole = true;
                return;
            }
            message.trailers += line;
        }
    }

    Fd fd_;
    std::string received_;
    int error_ = 0;
};

// A backend: each accepted connection runs `script` on a thread of its own.
class Backend {
public:
    using Script = std::function<void(Peer&)>;
    explicit Backend(Script script) : script_(std::move(script)), listener_(listening()), at_(local_of(listener_.get())) {
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~Backend() { stop(); }

    [[nodiscard]] const Endpoint& at() const { return at_; }
    [[nodiscard]] int connections() const { return connections_; }
    void stop() {
        if (!acceptor_.joinable()) {
            return;
        }
        ::shutdown(listener_.get(), SHUT_RDWR);  // wakes accept
        acceptor_.join();
        listener_.reset();
        const std::lock_guard lock(mutex_);
        for (const int fd : open_) {
            ::shutdown(fd, SHUT_RDWR);
        }
        for (std::thread& one : serving_) {
            mutex_.unlock();
            one.join();
            mutex_.lock();
        }
    }

private:
    void accept_all() {
        for (;;) {
            Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (!fd.valid()) {
                return;
            }
            ++connections_;
            const std::lock_guard lock(mutex_);
            open_.push_back(fd.get());
            serving_.emplace_back([this, fd = std::move(fd)]() mutable {
                const int number = fd.get();
                Peer peer(std::move(fd));
                script_(peer);
                const std::lock_guard closing(mutex_);
                std::erase(open_, number);
                peer.close();
            });
        }
    }

    Script script_;
    Fd listener_;
    Endpoint at_;
    std::atomic<int> connections_ = 0;
    std::mutex mutex_;
    std::vector<int> open_;
    std::vector<std::thread> serving_;
    std::thread acceptor_;
};

// Answers each request with what was received: head and body, so that tests see what a backend sees.
inline void echo(Peer& peer) {
    for (;;) {
        const Message request = peer.message();
        if (!request.whole) {
            return;
        }
        const std::string body = request.head + request.body;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
}
// Answers every request with these bytes.
inline Backend::Script always(std::string answer) {
    return [answer = std::move(answer)](Peer& peer) {
        while (peer.message().whole && peer.send(answer)) {
        }
    };
}

// Text that shows where it was damaged.
inline std::string pattern(std::size_t size) {
    std::string text(size, 0);
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    }
    return text;
}

}  // namespace penstock::proxy::testing
