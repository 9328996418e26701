// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h2_body.hpp"

namespace penstock::proxy {

namespace {
constexpr std::size_t kCopyMax = 8192;  // that is sent at once
}  // namespace

// ---- in -------------------------------------------------------------------------------------------------------------------
void H2Source::arrived(std::string_view data) {
    bytes_ += data.size();
    if (bytes_max_ != 0 && bytes_ > bytes_max_) {
        reject_ = http::Reject::body_too_large;
    } else {
        arrived_ += data;
    }
    stir();
}

void H2Source::ended(http::H2Trailers trailers) {
    trailers_ = std::move(trailers);
    end();
}

void H2Source::broken(int error) {
    error_ = error;
    stir();
}

std::string_view H2Source::next() {
    if (arrived_.empty() || reject_ != http::Reject::none) {
        return {};
    }
    return given_.emplace_back(std::exchange(arrived_, {}));
}

void H2Source::give_room() {
    std::size_t passed_on = 0;
    for (const std::string& piece : given_) {
        passed_on += piece.size();
    }
    given_.clear();
    if (stream_ != nullptr && passed_on != 0) {
        stream_->consume(passed_on);
        link_->wake();
    }
}

ring::Task<int> H2Source::wait(ring::Time deadline) {
    give_room();
    if (error_ == 0 && arrived_.empty() && !ended_ && reject_ == http::Reject::none) {
        const int waited = co_await arrived_event_.wait(deadline);
        if (waited != 0) {
            co_return waited;
        }
    }
    co_return arrived_.empty() && !ended_ ? error_ : 0;
}

// ---- out ------------------------------------------------------------------------------------------------------------------
// Little is copied, so that its exchange need not wait for the windows; much is framed from where it lies.
void H2Sink::commit() {
    if (stream_ != nullptr && size_ != 0) {
        if (size_ <= kCopyMax && stream_->queued() == 0) {
            std::string text;
            text.reserve(size_);
            for (std::size_t i = 0; i < count_; ++i) {
                text += pieces_[i];
            }
            stream_->send_own(std::move(text), link_->now_ms());
        } else {
            for (std::size_t i = 0; i < count_; ++i) {
                stream_->send(pieces_[i], link_->now_ms());
            }
            views_ = true;
        }
    }
    bytes_ += size_;
    count_ = size_ = 0;
}

void H2Sink::end(const http::Headers& trailers) {
    commit();
    if (stream_ == nullptr) {
        return;
    }
    if (trailers.empty()) {
        stream_->end();
    } else {
        stream_->end(trailers);
    }
}

ring::Task<int> H2Sink::flush(ring::Time deadline) {
    commit();
    if (stream_ == nullptr) {
        co_return ECONNRESET;
    }
    link_->wake();
    while (views_ && stream_ != nullptr && stream_->queued() != 0) {
        const int waited = co_await sent_event_.wait(deadline);
        if (waited != 0) {
            co_return waited;
        }
    }
    views_ = false;
    co_return stream_ != nullptr ? 0 : ECONNRESET;
}

}  // namespace penstock::proxy
