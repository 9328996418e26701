// SPDX-License-Identifier: Apache-2.0
// Why a message was refused: one list for the status we answer with, the counter's name and the sentence for people.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock::http {

// name, status, sentence
#define PST_HTTP_REJECTS(X)                                                                        \
    X(bad_line_end, 400, "a line does not end with CRLF")                                          \
    X(bad_request_line, 400, "the request line is not METHOD SP target SP HTTP/1.x")               \
    X(bad_method, 400, "the method is not a token, or too long")                                   \
    X(bad_target, 400, "the request target has a character or form that is not allowed")           \
    X(target_too_long, 414, "the request line is longer than the limit")                           \
    X(bad_version, 400, "the version is not written HTTP/digit.digit")                             \
    X(unknown_version, 505, "the version is not HTTP/1.0 or HTTP/1.1")                             \
    X(bad_header_name, 400, "a field name is empty, not a token, or followed by white space")      \
    X(disguised_framing, 400, "a field is named as Content-Length or Transfer-Encoding but for underscores") \
    X(bad_header_value, 400, "a field value has a control character")                              \
    X(folded_header, 400, "a field continues on the next line")                                    \
    X(too_many_headers, 431, "there are more fields than the limit")                               \
    X(head_too_large, 431, "the head is larger than the limit")                                    \
    X(no_host, 400, "a request of HTTP/1.1 has no Host")                                           \
    X(several_hosts, 400, "there is more than one Host")                                           \
    X(bad_host, 400, "Host is not a host name or address with an optional port")                   \
    X(host_mismatch, 400, "Host differs from the authority of the target")                         \
    X(bad_content_length, 400, "Content-Length is not one number")                                 \
    X(several_content_lengths, 400, "there is more than one Content-Length")                       \
    X(length_and_encoding, 400, "there are both Content-Length and Transfer-Encoding")             \
    X(encoding_in_http10, 400, "Transfer-Encoding in HTTP/1.0")                                    \
    X(bad_transfer_encoding, 400, "Transfer-Encoding is not exactly chunked")                      \
    X(unknown_transfer_encoding, 501, "a transfer coding other than chunked")                      \
    X(bad_chunk, 400, "a chunk's size, end or extension is malformed")                             \
    X(chunk_extensions_too_long, 400, "chunk extensions are longer than the limit")                \
    X(bad_trailer, 400, "a trailer field is malformed")                                            \
    X(trailers_too_large, 431, "the trailers are larger or more than the limit")                   \
    X(body_too_large, 413, "the body is larger than the limit")                                    \
    X(bad_pseudo_header, 400, "a pseudo-header field is missing, unknown, repeated or out of place")   \
    X(bad_scheme, 400, "the scheme is not http or https")                                          \
    X(connection_field, 400, "a field of HTTP/1's connections in HTTP/2")                          \
    X(length_mismatch, 400, "the body is not as long as Content-Length says")                      \
    X(bad_status_line, 502, "the status line is not HTTP/1.x SP code SP reason")                   \
    X(bad_response, 502, "the response's head breaks a rule of framing")

enum class Reject : std::uint8_t {
    none,
#define PST_X(name, status, text) name,
    PST_HTTP_REJECTS(PST_X)
#undef PST_X
};

std::string_view name_of(Reject reject);      // "bad_chunk"
std::string_view sentence_of(Reject reject);
int status_of(Reject reject);                 // what a client is answered; 0 for none

}  // namespace penstock::http
