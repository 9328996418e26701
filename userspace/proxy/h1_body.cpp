// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/h1_body.hpp"

#include <utility>

namespace penstock::proxy {

std::string_view H1Source::next() {
    while (!reader_.complete() && reject_ == http::Reject::none && (!stream_.data().empty() || stream_.gather())) {
        const auto piece = reader_.next(stream_.data());
        stream_.consume(piece.consumed);
        if (piece.progress == http::Progress::rejected) {
            reject_ = reader_.reject();
        }
        if (!piece.data.empty()) {
            return piece.data;
        }
    }
    return {};
}

Run H1Source::run() {
    return stream_.data().empty() ? Run{&stream_, reader_.run()} : Run{};
}

void H1Source::passed(std::uint64_t bytes, bool more) {
    reader_.pass(bytes);
    unread_ = more;
}

ring::Task<int> H1Source::wait(ring::Time deadline) {
    if (std::exchange(unread_, false)) {
        co_return co_await stream_.ready(ring::ReadyWait::For::reading, deadline);
    }
    const int filled = co_await stream_.fill(deadline);
    // TLS tells a truncation from an end (RFC 9112 9.8).
    if (filled == kEnded && !stream_.truncated() && !reader_.complete() && reader_.end() == http::Progress::done) {  // of until_close only
        co_return 0;
    }
    co_return filled;
}

void H1Sink::start(bool chunked) {
    gather_.restart(chunked);
    text_.clear();
    tail_.clear();
    bytes_ = 0;
    sent_ = ended_ = false;
}

void H1Sink::begin_again() {
    if (sent_) {
        gather_.clear();
        sent_ = false;
    }
}

void H1Sink::add(std::string_view piece) {
    begin_again();
    gather_.add_piece(piece);
}

void H1Sink::end(const http::Headers& trailers) {
    begin_again();
    ended_ = true;
    if (gather_.chunked()) {
        http::write_last_chunk(tail_, trailers);
        gather_.add_text(tail_);
    }
}

Stream* H1Sink::raw() {
    begin_again();
    return gather_.empty() && !gather_.chunked() && !ended_ ? &stream_ : nullptr;
}

namespace {
ring::Task<int> nothing() { co_return 0; }
}  // namespace

ring::Task<int> H1Sink::flush_and_finish(ring::Time deadline) {
    int sent = 0;
    if (!gather_.empty()) {
        sent = co_await stream_.send(gather_.parts(), deadline);
    }
    if (sent == 0) {
        co_await stream_.finish(deadline);
    }
    co_return sent;
}

ring::Task<int> H1Sink::flush(ring::Time deadline) {
    begin_again();
    if (raw_ && ended_) {
        bytes_ += gather_.bytes();
        sent_ = true;
        return flush_and_finish(deadline);
    }
    if (gather_.empty()) {
        return nothing();
    }
    bytes_ += gather_.bytes();
    sent_ = true;
    return stream_.send(gather_.parts(), deadline);
}

}  // namespace penstock::proxy
