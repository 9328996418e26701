// SPDX-License-Identifier: Apache-2.0
// Why a connection of HTTP/2 was given up: one list for the code of our GOAWAY, the counter's name and the sentence for people.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::http {

// RFC 9113 section 7.
enum class H2Code : std::uint32_t {
    no_error = 0x0,
    protocol_error = 0x1,
    internal_error = 0x2,
    flow_control_error = 0x3,
    settings_timeout = 0x4,
    stream_closed = 0x5,
    frame_size_error = 0x6,
    refused_stream = 0x7,
    cancel = 0x8,
    compression_error = 0x9,
    connect_error = 0xa,
    enhance_your_calm = 0xb,
    inadequate_security = 0xc,
    http_1_1_required = 0xd,
};

// name, code, sentence
#define PST_H2_FAULTS(X)                                                                                             \
    X(protocol, protocol_error, "the peer broke a rule of HTTP/2's frames")                                          \
    X(bad_preface, protocol_error, "the connection does not begin as one of HTTP/2")                                 \
    X(rapid_reset, enhance_your_calm, "the peer resets streams faster than any client has reason to")                \
    X(peer_errors, enhance_your_calm, "the peer makes us reset or refuse streams, again and again")                  \
    X(settings_flood, enhance_your_calm, "the peer sends SETTINGS again and again")                                  \
    X(ping_flood, enhance_your_calm, "the peer sends PING again and again")                                          \
    X(empty_data_flood, enhance_your_calm, "the peer sends DATA without data")                                       \
    X(window_update_flood, enhance_your_calm, "the peer sends more WINDOW_UPDATE than our data call for")            \
    X(priority_flood, enhance_your_calm, "the peer changes priorities again and again")                              \
    X(continuation_flood, enhance_your_calm, "a header block has more CONTINUATION frames than a head can need")     \
    X(header_flood, enhance_your_calm, "a header block unpacks to several times the limit of a head")                \
    X(useless_frame_flood, enhance_your_calm, "the peer sends frames that nobody knows, or GOAWAY, again and again") \
    X(queue_flood, enhance_your_calm, "the peer does not read our answers to its control frames")                    \
    X(internal, internal_error, "nghttp2 failed")

enum class H2Fault : std::uint8_t {
    none,
#define PST_X(name, code, text) name,
    PST_H2_FAULTS(PST_X)
#undef PST_X
};

std::string_view name_of(H2Fault fault);  // "rapid_reset"
std::string_view sentence_of(H2Fault fault);
H2Code code_of(H2Fault fault);            // no_error for none

}  // namespace penstock::http
