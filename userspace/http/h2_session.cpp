// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_session.hpp"

#include <array>
#include <limits>
#include <new>
#include <utility>

#include "userspace/base/assert.hpp"
#include "userspace/http/h2_callbacks.hpp"
#include "userspace/http/h2_fields.hpp"
#include "userspace/http/h2_memory.hpp"

namespace penstock::http {

namespace {

// Frames that wait for the peer to read: some for each stream, some for the connection.
constexpr std::size_t kQueueMax = 1024;
constexpr std::size_t kAcksMax = 256;
constexpr std::size_t kHeadSendMax = 128 * 1024;
// Before the peer has said.
constexpr std::uint32_t kPeerStreamsGuess = 100;

using Option = std::unique_ptr<nghttp2_option, void (*)(nghttp2_option*)>;

Option make_option(const H2Settings& settings) {
    nghttp2_option* made = nullptr;
    if (nghttp2_option_new(&made) != 0) {
        throw std::bad_alloc();
    }
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_no_http_messaging(made, 1);  // H2HeadReader's
    nghttp2_option_set_no_closed_streams(made, 1);
    nghttp2_option_set_max_reserved_remote_streams(made, 0);
    nghttp2_option_set_peer_max_concurrent_streams(made, kPeerStreamsGuess);
    nghttp2_option_set_max_outbound_ack(made, kAcksMax);
    nghttp2_option_set_max_send_header_block_length(made, kHeadSendMax);
    nghttp2_option_set_max_deflate_dynamic_table_size(made, settings.header_table);
    // H2Meter's: nghttp2 reads a clock for it, and does not see that streams finish too.
    nghttp2_option_set_stream_reset_rate_limit(made, std::numeric_limits<std::uint64_t>::max() / 2, 1);
#ifdef PST_NGHTTP2_CONTINUATIONS
    // H2Meter's: nghttp2 counts a frame again for each piece that its head comes in.
    nghttp2_option_set_max_continuations(made, 1024);
#endif
    return {made, nghttp2_option_del};
}

H2Fault fault_of(ssize_t error) {
    switch (error) {
        case NGHTTP2_ERR_NOMEM: throw std::bad_alloc();
        case NGHTTP2_ERR_BAD_CLIENT_MAGIC: return H2Fault::bad_preface;
        case NGHTTP2_ERR_FLOODED: return H2Fault::queue_flood;
        default: return H2Fault::internal;
    }
}

}  // namespace

H2Session::H2Session(H2Role role, const H2Settings& settings, H2SessionEvents& events, std::uint64_t now_ms)
    : role_(role), settings_(settings), events_(events), meter_(role == H2Role::server, now_ms), reader_(settings.limits), now_ms_(now_ms) {
    const Option option = make_option(settings);
    const auto make = role == H2Role::server ? nghttp2_session_server_new3 : nghttp2_session_client_new3;
    if (make(&session_, H2Callbacks::all(), this, option.get(), h2_memory()) != 0) {
        throw std::bad_alloc();
    }
    std::array<nghttp2_settings_entry, 6> entries{};
    std::size_t count = 0;
    const auto say = [&entries, &count](std::int32_t id, std::size_t value) { entries[count++] = {id, static_cast<std::uint32_t>(value)}; };
    say(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.stream_window);
    say(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.limits.head_bytes_max);
    say(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, settings.header_table);
    if (role == H2Role::client) {
        say(NGHTTP2_SETTINGS_ENABLE_PUSH, 0);
    } else {
        say(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.streams_max);
        say(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1);
        if (settings.connect_protocol) {
            say(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1);
        }
    }
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), count);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(settings.connection_window));
}

H2Session::~H2Session() {
    PST_ASSERT(kept_ == 0 && !running_);
    while (streams_ != nullptr) {
        forget(*streams_);
    }
    nghttp2_session_del(session_);
}

bool H2Session::feed(std::string_view bytes, std::uint64_t now_ms) {
    PST_ASSERT(!running_);
    if (given_up_ || bytes.empty()) {
        return !given_up_;
    }
    running_ = true;
    now_ms_ = now_ms;
    const std::size_t good = meter_.scan(bytes, now_ms);
    const ssize_t read = good == 0 ? 0 : nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), good);
    if (read < 0) {
        give_up(fault_ != H2Fault::none ? fault_ : fault_of(read));
    } else if (meter_.fault() != H2Fault::none) {
        give_up(meter_.fault());
    } else if (nghttp2_session_get_outbound_queue_size(session_) > kQueueMax) {
        give_up(H2Fault::queue_flood);
    }
    running_ = false;
    reap();
    return !given_up_;
}

void H2Session::output(std::string& out, std::size_t cap, std::uint64_t now_ms) {
    PST_ASSERT(!running_);
    running_ = true;
    now_ms_ = now_ms;
    out_ = &out;
    cap_ = cap;
    while (!given_up_ && out.size() < cap) {
        const std::uint8_t* data = nullptr;
        paused_ = false;
        const ssize_t size = nghttp2_session_mem_send(session_, &data);
        if (size < 0) {
            give_up(fault_ != H2Fault::none ? fault_ : fault_of(size));
        } else if (size > 0) {
            out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
        } else if (!paused_) {
            break;
        }
    }
    if (!given_up_ && fault_ != H2Fault::none) {
        give_up(fault_);  // nghttp2 has sent its GOAWAY
        goaway_due_ = false;
    }
    if (goaway_due_) {
        write_goaway(out);
    }
    out_ = nullptr;
    running_ = false;
    reap();
}

bool H2Session::want_write() const { return goaway_due_ || (!given_up_ && nghttp2_session_want_write(session_) != 0); }

bool H2Session::closed() const {
    return given_up_ ? !goaway_due_ : nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

std::uint64_t H2Session::stalled_since() const {
    std::uint64_t since = 0;
    for (const H2Stream* stream = open_ > kept_ ? streams_ : nullptr; stream != nullptr; stream = stream->next_) {
        if (stream->released_ && stream->window_closed() && (since == 0 || stream->stalled_since() < since)) {
            since = stream->stalled_since();
        }
    }
    return since;
}

void H2Session::give_up(H2Fault fault) {
    if (!given_up_) {
        fault_ = fault;
        end_all(code_of(fault));
    }
}

void H2Session::close(H2Code code) {
    if (!given_up_) {
        end_all(code);
    }
}

void H2Session::end_all(H2Code code) {
    given_up_ = goaway_due_ = true;
    goaway_code_ = code;
    const bool was_running = std::exchange(running_, true);
    // An event may release any stream, so the walk begins anew after each.
    for (H2Stream* stream = streams_; stream != nullptr;) {
        if (stream->closed_) {
            stream = stream->next_;
            continue;
        }
        stream->closed_ = true;
        open_--;
        if (!stream->over_) {
            tell_reset(*stream, {.code = static_cast<std::uint32_t>(code)});
        }
        if (stream->released_ && !stream->forgotten_) {
            forget(*stream);
        }
        stream = streams_;
    }
    running_ = was_running;
    if (!running_) {
        reap();
    }
}

void H2Session::write_goaway(std::string& out) {
    const std::string_view text = sentence_of(fault_);
    const auto put = [&out](std::uint32_t value, int bytes) {
        while (bytes-- > 0) {
            out += static_cast<char>(value >> 8 * bytes & 0xff);
        }
    };
    put(static_cast<std::uint32_t>(8 + text.size()), 3);
    put(NGHTTP2_GOAWAY, 1);
    put(0, 1);
    put(0, 4);
    put(static_cast<std::uint32_t>(nghttp2_session_get_last_proc_stream_id(session_)), 4);
    put(static_cast<std::uint32_t>(goaway_code_), 4);
    out += text;
    goaway_due_ = false;
}

H2Stream& H2Session::add_stream() {
    auto* stream = new H2Stream(*this);
    stream->next_ = streams_;
    if (streams_ != nullptr) {
        streams_->previous_ = stream;
    }
    streams_ = stream;
    open_++;
    return *stream;
}

void H2Session::forget(H2Stream& stream) {
    (stream.previous_ != nullptr ? stream.previous_->next_ : streams_) = stream.next_;
    if (stream.next_ != nullptr) {
        stream.next_->previous_ = stream.previous_;
    }
    stream.forgotten_ = true;
    if (block_ == &stream) {
        block_ = nullptr;
        reader_.start(H2HeadReader::Kind::discarded);
    }
    if (!running_) {
        delete &stream;
        return;
    }
    stream.next_ = dead_;
    dead_ = &stream;
}

void H2Session::reap() {
    while (dead_ != nullptr) {
        delete std::exchange(dead_, dead_->next_);
    }
}

void H2Session::tell_reset(H2Stream& stream, const H2Reset& reset) {
    stream.over_ = true;
    stream.drop_queue();
    if (stream.events_ != nullptr) {
        stream.events_->on_reset(reset);
    }
}

void H2Session::malformed(H2Stream& stream, Reject why) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.id_, NGHTTP2_PROTOCOL_ERROR);
    tell_reset(stream, {.code = NGHTTP2_PROTOCOL_ERROR, .reject = why});
}

H2Stream* H2Session::open(const H2Target& target, const Headers& headers, bool end, H2StreamEvents& events) {
    if (!can_open()) {
        return nullptr;
    }
    H2Fields fields;
    fields.pseudo(":method", target.method);
    if (!target.path.empty()) {
        fields.pseudo(":scheme", target.scheme);
        fields.pseudo(":path", target.path);
    }
    fields.pseudo(":authority", target.authority);
    if (!target.protocol.empty()) {
        fields.pseudo(":protocol", target.protocol);
    }
    fields.add(headers);
    H2Stream& stream = add_stream();
    const nghttp2_data_provider body = H2Callbacks::body_of(stream);
    stream.id_ = nghttp2_submit_request(session_, nullptr, fields.get(), fields.size(), end ? nullptr : &body, &stream);
    PST_ASSERT(stream.id_ > 0);
    stream.events_ = &events;
    stream.released_ = false;
    kept_++;
    stream.responded_ = true;
    stream.end_given_ = end;
    stream.to_head_ = target.method == "HEAD";
    stream.to_connect_ = target.method == "CONNECT";
    meter_.stream_opened();
    return &stream;
}

bool H2Session::can_open() const {
    return role_ == H2Role::client && !given_up_ && !goaway_seen_ && open_ < peer_streams_max() &&
           nghttp2_session_check_request_allowed(session_) != 0;
}

std::uint32_t H2Session::peer_streams_max() const {
    return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool H2Session::peer_connect_protocol() const {
    return nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) == 1;
}

void H2Session::drain() {
    PST_ASSERT(role_ == H2Role::server);
    if (given_up_ || draining_) {
        return;
    }
    draining_ = true;
    nghttp2_submit_shutdown_notice(session_);
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, reinterpret_cast<const std::uint8_t*>(kDrainPing.data()));
}

void H2Session::drain_now() {
    if (given_up_ || drained_) {
        return;
    }
    draining_ = drained_ = true;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR, nullptr, 0);
}

}  // namespace penstock::http
