// SPDX-License-Identifier: Apache-2.0
// For tests: a server of HTTP/2 over TLS on loopback that gives every request the same answer, says more on answers that go on when it is told
// to, and whose connections can be made mute: they stay, their bytes are acknowledged, and nothing comes any more, as with a balancer whose
// server is gone.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <climits>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tools/test/certificate.hpp"
#include "userspace/base/fd.hpp"

namespace penstock::test {

class MuteServer {
public:
    explicit MuteServer(const Pair& pair = issue({.name = "localhost", .names = "IP:127.0.0.1"})) : context_(SSL_CTX_new(TLS_server_method())), listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        use_pair(context_, pair);
        SSL_CTX_set_alpn_select_cb(context_, choose_h2, nullptr);
        sockaddr_in at = {};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        ::bind(listening_.get(), reinterpret_cast<sockaddr*>(&at), size);
        ::listen(listening_.get(), 16);
        ::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&at), &size);
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] { accept(); });
    }
    ~MuteServer() {
        over_ = true;
        ::shutdown(listening_.get(), SHUT_RDWR);
        thread_.join();
        for (std::thread& one : connections_) {
            one.join();
        }
        SSL_CTX_free(context_);
    }
    MuteServer(const MuteServer&) = delete;
    MuteServer& operator=(const MuteServer&) = delete;

    [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] unsigned connections() const { return accepted_; }
    // The connections so far; or those to come as well.
    void make_mute(bool all = false) { mute_ = all ? UINT_MAX : accepted_.load(); }
    // Answers that begin from now on do not end.
    void go_on(bool yes) { goes_on_ = yes; }
    // One more line of an answer that goes on, on the newest connection: its first request is stream 1, the next 3.
    void say(unsigned stream) {
        const std::lock_guard lock(mutex_);
        if (newest_ != nullptr) {
            write(newest_, frame(0, 0, stream, kLine));
        }
    }

private:
    static constexpr std::string_view kLine = "{}\n";
    static constexpr std::size_t kPreface = 24;
    static constexpr std::size_t kFrameHead = 9;

    static int choose_h2(SSL*, const unsigned char** out, unsigned char* length, const unsigned char*, unsigned, void*) {
        *out = reinterpret_cast<const unsigned char*>("h2");
        *length = 2;
        return SSL_TLSEXT_ERR_OK;
    }

    void accept() {
        while (!over_) {
            Fd socket(::accept(listening_.get(), nullptr, nullptr));
            if (socket.valid()) {
                connections_.emplace_back([this, socket = std::move(socket), number = ++accepted_] { serve(socket.get(), number); });
            }
        }
    }

    static std::string frame(char type, char flags, unsigned stream, std::string_view content) {
        std::string out = {0, 0, static_cast<char>(content.size()), type, flags, 0, 0, static_cast<char>(stream >> 8U), static_cast<char>(stream)};
        return out.append(content);
    }

    static void write(SSL* tls, const std::string& bytes) { SSL_write(tls, bytes.data(), static_cast<int>(bytes.size())); }

    void serve(int socket, unsigned number) {
        SSL* tls = SSL_new(context_);
        SSL_set_fd(tls, socket);
        if (SSL_accept(tls) == 1) {
            {
                const std::lock_guard lock(mutex_);
                write(tls, frame(4, 0, 0, ""));  // SETTINGS
                newest_ = tls;
            }
            std::string unread;
            std::size_t skip = kPreface;
            while (read_more(tls, socket, unread)) {
                const std::lock_guard lock(mutex_);
                answer(tls, number, unread, skip);
            }
        }
        const std::lock_guard lock(mutex_);
        newest_ = newest_ == tls ? nullptr : newest_;
        SSL_free(tls);
    }

    bool read_more(SSL* tls, int socket, std::string& unread) {
        while (!over_) {
            pollfd waited = {.fd = socket, .events = POLLIN, .revents = 0};
            if (::poll(&waited, 1, 20) <= 0) {
                continue;
            }
            const std::lock_guard lock(mutex_);
            std::array<char, 20'000> piece = {};  // of a whole record
            const int got = SSL_read(tls, piece.data(), piece.size());
            unread.append(piece.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
            return got > 0;
        }
        return false;
    }

    // Each whole frame of `unread`, after what is to be skipped: a HEADERS frame is a request.
    void answer(SSL* tls, unsigned number, std::string& unread, std::size_t& skip) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(unread[at])); };
        while (unread.size() >= skip + kFrameHead) {
            unread.erase(0, std::exchange(skip, 0));
            const std::size_t whole = kFrameHead + (byte(0) << 16U | byte(1) << 8U | byte(2));
            if (unread.size() < whole) {
                return;
            }
            if (byte(3) == 1 && number > mute_) {
                const unsigned stream = byte(7) << 8U | byte(8);
                const std::string out = frame(1, 4, stream, "\x88") + frame(0, goes_on_ ? 0 : 1, stream, kLine);  // ":status: 200"
                write(tls, out);
            }
            unread.erase(0, whole);
        }
    }

    SSL_CTX* context_;
    Fd listening_;
    int port_ = 0;
    std::atomic<unsigned> accepted_{0};
    std::atomic<unsigned> mute_{0};
    std::atomic<bool> goes_on_{false};
    std::atomic<bool> over_{false};
    std::mutex mutex_;  // of what is read and written by TLS
    SSL* newest_ = nullptr;
    std::vector<std::thread> connections_;
    std::thread thread_;
};

}  // namespace penstock::test
