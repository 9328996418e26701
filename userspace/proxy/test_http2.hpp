// SPDX-License-Identifier: Apache-2.0
// For tests only: HTTP/2 peers on blocking sockets.
#pragma once

#include "userspace/http/test_h2.hpp"
#include "userspace/proxy/testing.hpp"

namespace penstock::proxy::testing {

namespace h2 = penstock::http::testing;

// A client or a server. One thread at a time may use it.
class Http2Peer {
public:
    explicit Http2Peer(Peer peer, http::H2Role role = http::H2Role::client, const http::H2Settings& settings = {}) : peer_(std::move(peer)), side_(role, settings) {}

    h2::Listener& open(const http::H2Target& target, const http::Headers& headers, bool end) {
        auto made = std::make_unique<h2::Listener>();
        made->stream = side_.session.open(target, headers, end, *made);
        PST_ASSERT(made->stream != nullptr);
        return *(side_.owner.streams[made->stream->id()] = std::move(made));
    }
    h2::Listener& get(std::string_view path, const http::Headers& headers = {}) { return open({"GET", "http", "shop.example", path}, headers, true); }

    // Talks until it holds. False: the connection has ended, or there was no patience left.
    bool until(const std::function<bool()>& holds) {
        for (;;) {
            flush();
            if (holds()) {
                return true;
            }
            flush();  // what that has said
            char bytes[16384];
            const ssize_t got = ::recv(peer_.fd(), bytes, sizeof bytes, 0);
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                return false;
            }
            side_.feed({bytes, static_cast<std::size_t>(got)});
        }
    }
    bool done(const h2::Listener& stream) {
        return until([&] { return stream.ended || stream.resets != 0; }) && stream.ended;
    }
    void flush() {
        const std::string out = side_.output();
        peer_.send(out);
    }
    [[nodiscard]] h2::Side& side() { return side_; }
    [[nodiscard]] Peer& peer() { return peer_; }

private:
    Peer peer_;
    h2::Side side_;
};

inline int status_of(const h2::Listener& stream) { return stream.responses.empty() ? 0 : stream.responses.back().head.status; }
inline std::string field_of(const h2::Listener& stream, std::string_view name) {
    return stream.responses.empty() ? "-" : std::string(stream.responses.back().head.headers.find(name).value_or("-"));
}

}  // namespace penstock::proxy::testing
