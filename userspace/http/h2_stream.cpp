// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_stream.hpp"

#include <algorithm>

#include "userspace/base/assert.hpp"
#include "userspace/http/h2_callbacks.hpp"
#include "userspace/http/h2_fields.hpp"

namespace penstock::http {

namespace {

// A window that opens byte by byte is as good as closed.
constexpr std::size_t kProgress = 1024;

}  // namespace

void H2Stream::interim(int status, const Headers& headers) {
    PST_ASSERT(status >= 100 && status < 200 && status != 101 && !responded_);
    if (over_) {
        return;
    }
    const std::string text = std::to_string(status);
    H2Fields fields;
    fields.pseudo(":status", text);
    fields.add(headers);
    nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, fields.get(), fields.size(), nullptr);
}

void H2Stream::respond(int status, const Headers& headers, bool end) {
    PST_ASSERT(status >= 200 && status <= 999 && !responded_ && session_.role_ == H2Role::server);
    responded_ = head_framed_ = true;
    end_given_ = end;
    if (over_) {
        return;
    }
    const std::string text = std::to_string(status);
    H2Fields fields;
    fields.pseudo(":status", text);
    fields.add(headers);
    const nghttp2_data_provider body = H2Callbacks::body_of(*this);
    nghttp2_submit_response(session_.session_, id_, fields.get(), fields.size(), end ? nullptr : &body);
}

void H2Stream::queue(std::string_view piece, std::uint64_t now_ms) {
    PST_ASSERT(responded_ && !end_given_);
    if (over_ || piece.empty()) {
        return;
    }
    if (queued_ == 0) {
        pieces_.clear();
        first_ = moved_ = 0;
        stalled_since_ = std::max<std::uint64_t>(now_ms, 1);
    }
    pieces_.push_back(piece);
    queued_ += piece.size();
    wake();
}

void H2Stream::send(std::string_view piece, std::uint64_t now_ms) {
    views_ = views_ || !piece.empty();
    queue(piece, now_ms);
}

void H2Stream::send_own(std::string text, std::uint64_t now_ms) {
    PST_ASSERT(queued_ == 0);
    own_ = std::move(text);
    queue(own_, now_ms);
}

void H2Stream::wake() {
    if (deferred_) {
        deferred_ = false;
        nghttp2_session_resume_data(session_.session_, id_);
    }
}

void H2Stream::end() {
    PST_ASSERT(responded_ && !end_given_);
    end_given_ = true;
    if (over_) {
        return;
    }
    // An empty DATA frame would wait for a window that a peer who has the whole body may never open. Empty trailers do not.
    if (queued_ == 0 && head_framed_ && windows_closed()) {
        submit_trailers({});
        return;
    }
    wake();
}

void H2Stream::end(const Headers& trailers) {
    if (trailers.empty()) {
        return end();
    }
    PST_ASSERT(responded_ && !end_given_);
    end_given_ = true;
    if (over_) {
        return;
    }
    if (queued_ == 0 && head_framed_) {
        submit_trailers(trailers);
        return;
    }
    trailers_ = std::make_unique<H2Trailers>(trailers);
    wake();
}

void H2Stream::submit_trailers(const Headers& trailers) {
    H2Fields fields;
    fields.add(trailers);
    nghttp2_submit_trailer(session_.session_, id_, fields.get(), fields.size());
}

void H2Stream::submit_kept_trailers() {
    submit_trailers(trailers_->fields);
    trailers_.reset();
}

void H2Stream::framed(bool end) {
    head_framed_ = true;
    end_framed_ = end_framed_ || end;
    stop_remote();
}

void H2Stream::copy_out(std::string& out, std::size_t count) {
    queued_ -= count;
    moved_ += count;
    if (moved_ >= kProgress) {
        moved_ = 0;
        stalled_since_ = std::max<std::uint64_t>(session_.now_ms_, 1);
    }
    const bool emptied = queued_ == 0 && count != 0;
    while (count != 0) {
        std::string_view& piece = pieces_[first_];
        const std::size_t part = std::min(count, piece.size());
        out.append(piece.data(), part);
        piece.remove_prefix(part);
        count -= part;
        first_ += piece.empty() ? 1 : 0;
    }
    if (emptied) {
        drop_queue();
        if (events_ != nullptr) {
            events_->on_sent();
        }
    }
}

void H2Stream::drop_queue() {
    pieces_.clear();
    first_ = queued_ = 0;
    views_ = false;
    own_ = {};
}

bool H2Stream::windows_closed() const {
    nghttp2_session* session = session_.session_;
    return nghttp2_session_get_remote_window_size(session) <= 0 ||
           nghttp2_session_get_stream_remote_window_size(session, id_) <= 0;
}

bool H2Stream::window_closed() const { return !over_ && queued_ != 0 && windows_closed(); }

void H2Stream::consume(std::size_t bytes) {
    PST_ASSERT(bytes <= unconsumed_);
    unconsumed_ -= bytes;
    if (bytes != 0 && session_.alive()) {
        nghttp2_session_consume(session_.session_, id_, bytes);
    }
}

void H2Stream::reset(H2Code code) {
    if (over_) {
        return;
    }
    over_ = ours_ = true;
    drop_queue();
    nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, static_cast<std::uint32_t>(code));
}

// Our side is complete and nobody waits for the peer's.
void H2Stream::stop_remote() {
    if (released_ && end_framed_ && !remote_ended_) {
        reset(session_.role_ == H2Role::server ? H2Code::no_error : H2Code::cancel);
    }
}

void H2Stream::release() {
    PST_ASSERT(!released_);
    released_ = true;
    events_ = nullptr;
    session_.kept_--;
    session_.heads_ -= head_size_;
    head_size_ = 0;
    // The peer gets the connection's window back, but no more room in this stream.
    if (unconsumed_ != 0 && session_.alive()) {
        nghttp2_session_consume_connection(session_.session_, unconsumed_);
    }
    unconsumed_ = 0;
    discard_ = true;
    if (closed_) {
        session_.forget(*this);
        return;
    }
    if (!end_given_ || views_) {
        reset(session_.role_ == H2Role::server ? H2Code::internal_error : H2Code::cancel);
    }
    stop_remote();
}

}  // namespace penstock::http
