// SPDX-License-Identifier: Apache-2.0
// Bodies of HTTP/2 streams. What arrives is kept until it is taken, at most the stream's window; what is queued is framed when the peer's
// windows and the socket have room.
#pragma once

#include <array>
#include <cerrno>
#include <deque>
#include <string>

#include "userspace/proxy/body.hpp"
#include "userspace/proxy/h2_link.hpp"

namespace penstock::proxy {

class H2Source final : public BodySource {
public:
    explicit H2Source(ring::Loop& loop) : arrived_event_(loop) {}
    // `link` and `stream` must stay until detach().
    void attach(H2Link& link, http::H2Stream& stream, std::uint64_t bytes_max) {
        link_ = &link;
        stream_ = &stream;
        bytes_max_ = bytes_max;
    }
    void detach() { stream_ = nullptr; }

    // What the stream's owner hears.
    void arrived(std::string_view data);
    void ended(http::H2Trailers trailers);
    void ended() { end(); }
    void broken(int error);
    // Something else has come that whoever waits here should look at (a head).
    void stir() { arrived_event_.signal(); }

    std::string_view next() override;
    ring::Task<int> wait(ring::Time deadline) override;
    [[nodiscard]] bool complete() const override { return ended_ && arrived_.empty(); }
    [[nodiscard]] http::Reject reject() const override { return reject_; }
    [[nodiscard]] const http::Headers& trailers() const override { return trailers_.fields; }
    void refuse(http::Reject why) { reject_ = why; }
    [[nodiscard]] int error() const { return error_; }

private:
    void end() {
        ended_ = true;
        stir();
    }
    void give_room();

    H2Link* link_ = nullptr;
    http::H2Stream* stream_ = nullptr;
    ring::Event arrived_event_;
    std::string arrived_;
    std::deque<std::string> given_;  // since the last wait: views of them are about
    http::H2Trailers trailers_;
    std::uint64_t bytes_ = 0, bytes_max_ = 0;
    bool ended_ = false;
    int error_ = 0;
    http::Reject reject_ = http::Reject::none;
};

class H2Sink {
public:
    explicit H2Sink(ring::Loop& loop) : sent_event_(loop) {}
    void attach(H2Link& link, http::H2Stream& stream) {
        link_ = &link;
        stream_ = &stream;
    }
    void detach() {
        stream_ = nullptr;
        sent_event_.signal();
    }
    // on_sent(), on_reset(): look again.
    void stir() { sent_event_.signal(); }

    [[nodiscard]] bool has_room() const { return count_ < pieces_.size(); }
    void add(std::string_view piece) {
        pieces_[count_++] = piece;
        size_ += piece.size();
    }
    void end(const http::Headers& trailers);
    ring::Task<int> flush(ring::Time deadline);
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

private:
    void commit();

    H2Link* link_ = nullptr;
    http::H2Stream* stream_ = nullptr;
    ring::Event sent_event_;
    std::array<std::string_view, 16> pieces_;
    std::size_t count_ = 0, size_ = 0;  // of what is not with the stream yet
    std::uint64_t bytes_ = 0;
    bool views_ = false;  // some of what is queued is not the stream's own
};

}  // namespace penstock::proxy
