// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_callbacks.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

namespace penstock::http {

namespace {

constexpr std::size_t kFrameMax = 16384;
// The last DATA frame of an output() is not cut smaller than this.
constexpr std::size_t kFrameMin = 1024;

}  // namespace

const nghttp2_session_callbacks* H2Callbacks::all() {
    static const auto callbacks = [] {
        nghttp2_session_callbacks* made = nullptr;
        if (nghttp2_session_callbacks_new(&made) != 0) {
            throw std::bad_alloc();
        }
        nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(made, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data_chunk);
        nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(made, on_frame_send);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(made, on_frame_not_send);
        nghttp2_session_callbacks_set_data_source_read_length_callback(made, read_length);
        nghttp2_session_callbacks_set_send_data_callback(made, send_body);
        return std::unique_ptr<nghttp2_session_callbacks, void (*)(nghttp2_session_callbacks*)>(made, nghttp2_session_callbacks_del);
    }();
    return callbacks.get();
}

nghttp2_data_provider H2Callbacks::body_of(H2Stream& stream) {
    nghttp2_data_provider provider{};
    provider.source.ptr = &stream;
    provider.read_callback = read_body;
    return provider;
}

H2Stream* H2Callbacks::stream_of(H2Session& session, std::int32_t id) {
    return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(session.session_, id));
}

int H2Callbacks::fail(H2Session& session, H2Fault fault) {
    session.fault_ = fault;
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

int H2Callbacks::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = session_of(user);
    if (session.given_up_) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    const std::int32_t id = frame->hd.stream_id;
    session.block_ = nullptr;
    session.reader_.start(H2HeadReader::Kind::discarded);
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;  // a push, which our settings forbid
    }
    if (session.role_ == H2Role::server && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        // A peer that resets its streams may open others at once; what the owner still does for the old ones counts too.
        if (session.kept_ >= 2 * std::size_t{session.settings_.streams_max}) {
            return nghttp2_submit_rst_stream(session.session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
        }
        H2Stream& stream = session.add_stream();
        stream.id_ = id;
        nghttp2_session_set_stream_user_data(session.session_, id, &stream);
        session.meter_.stream_opened();
        session.block_ = &stream;
        session.reader_.start(H2HeadReader::Kind::request);
        return 0;
    }
    session.block_ = stream_of(session, id);
    if (session.block_ != nullptr && !session.block_->over_ && !session.block_->discard_) {
        const bool response = session.role_ == H2Role::client && !session.block_->final_head_;
        session.reader_.start(response ? H2HeadReader::Kind::response : H2HeadReader::Kind::trailers);
    }
    return 0;
}

int H2Callbacks::on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                           const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
    H2Session& session = session_of(user);
    const bool fits = session.reader_.field({reinterpret_cast<const char*>(name), name_size},
                                            {reinterpret_cast<const char*>(value), value_size});
    return fits ? 0 : fail(session, H2Fault::header_flood);
}

int H2Callbacks::on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = session_of(user);
    if (session.given_up_) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    const bool ended = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
            if (H2Stream* stream = std::exchange(session.block_, nullptr); stream != nullptr) {
                return head_received(session, *stream, ended);
            }
            return 0;
        case NGHTTP2_DATA:
            if (H2Stream* stream = ended ? stream_of(session, frame->hd.stream_id) : nullptr; stream != nullptr) {
                stream->remote_ended_ = true;
                body_ended(session, *stream, {});
            }
            return 0;
        case NGHTTP2_SETTINGS:
            if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
                session.settings_seen_ = true;
                session.events_.on_settings();
            }
            return 0;
        case NGHTTP2_PING:
            if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0 && session.draining_ &&
                std::memcmp(frame->ping.opaque_data, kDrainPing.data(), kDrainPing.size()) == 0) {
                session.drain_now();
            }
            return 0;
        case NGHTTP2_GOAWAY:
            session.goaway_seen_ = true;
            session.events_.on_goaway(frame->goaway.error_code);
            return 0;
        default: return 0;
    }
}

int H2Callbacks::head_received(H2Session& session, H2Stream& stream, bool ended) {
    stream.remote_ended_ = stream.remote_ended_ || ended;
    if (session.role_ == H2Role::server && !stream.head_taken_) {
        return request_received(session, stream, ended);
    }
    if (stream.over_ || stream.discard_) {
        return 0;
    }
    if (session.role_ == H2Role::client && !stream.final_head_) {
        response_received(session, stream, ended);
    } else {
        trailers_received(session, stream, ended);
    }
    return 0;
}

int H2Callbacks::request_received(H2Session& session, H2Stream& stream, bool ended) {
    H2Request request;
    H2Priority priority;
    Reject why = session.reader_.finish(ended, session.settings_.connect_protocol, request, priority);
    stream.head_taken_ = true;
    stream.released_ = false;
    session.kept_++;
    // A head that HPACK packed into a few bytes is held as a whole: all of a connection's together are bounded, too.
    if (why == Reject::none && session.heads_ + request.size > session.settings_.heads_max) {
        why = Reject::head_too_large;
    }
    if (why != Reject::none) {
        stream.discard_ = true;
        session.events_.on_refused(stream, why);
        return session.meter_.take(H2Allowance::errors, session.now_ms_) ? 0 : fail(session, session.meter_.fault());
    }
    stream.head_size_ = request.size;
    session.heads_ += request.size;
    const nghttp2_extpri wanted{priority.urgency, priority.incremental ? 1 : 0};
    nghttp2_session_change_extpri_stream_priority(session.session_, stream.id_, &wanted, 0);
    stream.bounded_ = request.head.framing == Framing::length || request.head.framing == Framing::none;
    stream.expected_ = request.head.content_length;
    session.events_.on_request(stream, std::move(request));
    return 0;
}

void H2Callbacks::response_received(H2Session& session, H2Stream& stream, bool ended) {
    H2Response response;
    const Reject why = session.reader_.finish(ended, stream.to_head_, stream.to_connect_, response);
    if (why != Reject::none) {
        return session.malformed(stream, why);
    }
    const ResponseHead& head = response.head;
    if (!head.interim()) {
        stream.final_head_ = true;
        stream.bounded_ = head.framing == Framing::length || head.framing == Framing::none;
        stream.expected_ = head.framing == Framing::length ? head.content_length : 0;
    }
    if (stream.events_ != nullptr) {
        stream.events_->on_response(std::move(response));
    }
}

void H2Callbacks::trailers_received(H2Session& session, H2Stream& stream, bool ended) {
    H2Trailers trailers;
    const Reject why = ended ? session.reader_.finish(trailers) : Reject::bad_trailer;
    if (why != Reject::none) {
        return session.malformed(stream, why);
    }
    body_ended(session, stream, std::move(trailers));
}

void H2Callbacks::body_ended(H2Session& session, H2Stream& stream, H2Trailers trailers) {
    if (stream.over_ || stream.discard_) {
        return;
    }
    if (session.role_ == H2Role::client && !stream.final_head_) {
        return session.malformed(stream, Reject::bad_response);
    }
    if (stream.bounded_ && stream.received_ != stream.expected_) {
        return session.malformed(stream, Reject::length_mismatch);
    }
    if (stream.events_ != nullptr) {
        stream.events_->on_end(std::move(trailers));
    }
}

int H2Callbacks::on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* user) {
    H2Session& session = session_of(user);
    if (session.given_up_) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    H2Stream* stream = stream_of(session, id);
    const bool wanted = stream != nullptr && !stream->over_ && !stream->discard_;
    if (wanted) {
        stream->received_ += size;
    }
    const bool too_early = wanted && session.role_ == H2Role::client && !stream->final_head_;
    const bool too_long = wanted && stream->bounded_ && stream->received_ > stream->expected_;
    if (!wanted || too_early || too_long) {
        nghttp2_session_consume_connection(session.session_, size);
        if (too_early || too_long) {
            session.malformed(*stream, too_early ? Reject::bad_response : Reject::length_mismatch);
        }
        return 0;
    }
    stream->unconsumed_ += size;
    if (stream->events_ != nullptr) {
        stream->events_->on_data({reinterpret_cast<const char*>(data), size});
    }
    return 0;
}

int H2Callbacks::on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    H2Session& session = session_of(user);
    H2Stream* stream = stream_of(session, id);
    if (stream == nullptr || stream->closed_) {
        return 0;
    }
    stream->closed_ = true;
    session.open_--;
    if (stream->over_) {
        // reset, and told
    } else if (stream->remote_ended_ && stream->end_framed_) {
        stream->over_ = true;
        session.meter_.stream_finished();
    } else {
        session.tell_reset(*stream, {.code = code, .unprocessed = code == NGHTTP2_REFUSED_STREAM});
    }
    if (stream->released_ && !stream->forgotten_) {
        session.forget(*stream);
    }
    return 0;
}

int H2Callbacks::on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = session_of(user);
    switch (frame->hd.type) {
        case NGHTTP2_DATA:
        case NGHTTP2_HEADERS:
            if (H2Stream* stream = stream_of(session, frame->hd.stream_id); stream != nullptr) {
                stream->framed((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
            }
            return 0;
        case NGHTTP2_RST_STREAM: {
            const H2Stream* stream = stream_of(session, frame->hd.stream_id);
            const bool by_peer = stream == nullptr || !stream->ours_;
            return !by_peer || session.meter_.take(H2Allowance::errors, session.now_ms_) ? 0 : fail(session, session.meter_.fault());
        }
        case NGHTTP2_GOAWAY:
            if (frame->goaway.error_code != NGHTTP2_NO_ERROR) {
                session.fault_ = H2Fault::protocol;
                session.detail_.assign(reinterpret_cast<const char*>(frame->goaway.opaque_data), frame->goaway.opaque_data_len);
            }
            return 0;
        default: return 0;
    }
}

// A head that nghttp2 will not send (larger than its limit): a request fails by itself, a response would hang.
int H2Callbacks::on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    H2Session& session = session_of(user);
    if (session.role_ != H2Role::server || frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    H2Stream* stream = stream_of(session, frame->hd.stream_id);
    if (stream != nullptr && !stream->over_) {
        stream->ours_ = true;
        nghttp2_submit_rst_stream(session.session_, NGHTTP2_FLAG_NONE, stream->id_, NGHTTP2_INTERNAL_ERROR);
        session.tell_reset(*stream, {.code = NGHTTP2_INTERNAL_ERROR});
    }
    return 0;
}

ssize_t H2Callbacks::read_length(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t, std::int32_t, std::uint32_t, void* user) {
    const H2Session& session = session_of(user);
    const std::size_t used = session.out_->size();
    return static_cast<ssize_t>(std::clamp(session.cap_ - std::min(used, session.cap_), kFrameMin, kFrameMax));
}

ssize_t H2Callbacks::read_body(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t size, std::uint32_t* flags,
                               nghttp2_data_source* source, void* user) {
    if (session_of(user).given_up_) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    H2Stream& stream = *static_cast<H2Stream*>(source->ptr);
    if (stream.queued_ == 0 && !stream.end_given_) {
        stream.deferred_ = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t count = std::min(size, stream.queued_);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (count == stream.queued_ && stream.end_given_) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (stream.trailers_) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            stream.submit_kept_trailers();
        }
    }
    return static_cast<ssize_t>(count);
}

int H2Callbacks::send_body(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size, nghttp2_data_source* source,
                           void* user) {
    H2Session& session = session_of(user);
    std::string& out = *session.out_;
    out.append(reinterpret_cast<const char*>(head), 9);
    session.meter_.data_sent();
    static_cast<H2Stream*>(source->ptr)->copy_out(out, size);
    session.paused_ = session.given_up_ || out.size() >= session.cap_;
    return session.paused_ ? NGHTTP2_ERR_PAUSE : 0;
}

}  // namespace penstock::http
