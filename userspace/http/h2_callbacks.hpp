// SPDX-License-Identifier: Apache-2.0
// What nghttp2 calls. Internal to h2_*.cpp. An event may close the session: then nghttp2 is stopped at the next call.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string_view>

#include "userspace/http/h2_session.hpp"

namespace penstock::http {

inline constexpr std::string_view kDrainPing = "drained?";

struct H2Callbacks {
    static const nghttp2_session_callbacks* all();
    static nghttp2_data_provider body_of(H2Stream& stream);

private:
    static H2Session& session_of(void* user) { return *static_cast<H2Session*>(user); }
    static H2Stream* stream_of(H2Session& session, std::int32_t id);
    static int fail(H2Session& session, H2Fault fault);

    static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user);
    static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user);
    static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user);
    static int on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t size, void* user);
    static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user);
    static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user);
    static int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int error, void* user);
    static ssize_t read_length(nghttp2_session*, std::uint8_t, std::int32_t, std::int32_t, std::int32_t, std::uint32_t, void* user);
    static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t*, std::size_t size, std::uint32_t* flags,
                             nghttp2_data_source* source, void* user);
    static int send_body(nghttp2_session*, nghttp2_frame*, const std::uint8_t* head, std::size_t size, nghttp2_data_source* source,
                         void* user);

    static int head_received(H2Session& session, H2Stream& stream, bool ended);
    static int request_received(H2Session& session, H2Stream& stream, bool ended);
    static void response_received(H2Session& session, H2Stream& stream, bool ended);
    static void trailers_received(H2Session& session, H2Stream& stream, bool ended);
    static void body_ended(H2Session& session, H2Stream& stream, H2Trailers trailers);
};

}  // namespace penstock::http
