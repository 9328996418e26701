// SPDX-License-Identifier: Apache-2.0
// A request's body that can be read again from its beginning, as long as it fits into a limit: for another attempt, or for a copy.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <string>

#include "userspace/proxy/body.hpp"

namespace penstock::proxy {

class Replay final : public BodySource {
public:
    explicit Replay(BodySource& from) : from_(from) {}

    // Takes what is here, as far as it is given before the next wait: reject() knows then what is wrong with it. Only before the first piece.
    void look_ahead() {
        for (std::string_view piece; ahead_size_ < ahead_.size() && !(piece = fetch()).empty();) {
            ahead_[ahead_size_++] = piece;
        }
    }
    // A body of more `bytes` is none: reject() says so. 0: of any length.
    void limit(std::uint64_t bytes) { bytes_max_ = bytes; }
    // From now on keeps what it gives, up to `bytes_max`. Only before the first piece.
    void keep(std::size_t bytes_max) { room_ = bytes_max; }
    // Whether rewind() can bring back the whole body.
    [[nodiscard]] bool can_rewind() const { return !lost_; }
    void rewind() { at_ = 0; }
    // What was kept; the whole body once it is complete and nothing was lost.
    [[nodiscard]] const std::deque<std::string>& kept() const { return kept_; }

    std::string_view next() override {
        if (at_ < kept_.size()) {
            return kept_[at_++];
        }
        const std::string_view piece = ahead_at_ < ahead_size_ ? ahead_[ahead_at_++] : fetch();
        if (piece.empty()) {
            return piece;
        }
        if (lost_ || piece.size() > room_) {
            lost_ = true;
            return piece;
        }
        room_ -= piece.size();
        kept_.emplace_back(piece);
        at_ = kept_.size();
        return piece;
    }
    ring::Task<int> wait(ring::Time deadline) override { return from_.wait(deadline); }
    [[nodiscard]] bool complete() const override { return !over_ && at_ == kept_.size() && ahead_at_ == ahead_size_ && from_.complete(); }
    [[nodiscard]] http::Reject reject() const override { return over_ ? http::Reject::body_too_large : from_.reject(); }
    [[nodiscard]] const http::Headers& trailers() const override { return from_.trailers(); }
    // Once nothing is kept any more.
    [[nodiscard]] Run run() override {
        Run rest = lost_ && !over_ && at_ == kept_.size() && ahead_at_ == ahead_size_ ? from_.run() : Run{};
        if (bytes_max_ != 0) {
            rest.bytes = std::min(rest.bytes, bytes_max_ - bytes_);
        }
        return rest;
    }
    void passed(std::uint64_t bytes, bool more) override {
        bytes_ += bytes;
        from_.passed(bytes, more);
    }

private:
    std::string_view fetch() {
        const std::string_view piece = over_ ? std::string_view() : from_.next();
        bytes_ += piece.size();
        over_ |= bytes_max_ != 0 && bytes_ > bytes_max_;
        return over_ ? std::string_view() : piece;
    }

    BodySource& from_;
    std::deque<std::string> kept_;  // addresses stay: pieces are queued as views
    std::size_t at_ = 0;            // of the next one to give again
    std::array<std::string_view, 8> ahead_;
    std::size_t ahead_at_ = 0, ahead_size_ = 0;
    std::size_t room_ = 0;
    std::uint64_t bytes_ = 0, bytes_max_ = 0;
    bool over_ = false;
    bool lost_ = false;             // some of the body was given and not kept
};

}  // namespace penstock::proxy
