// SPDX-License-Identifier: Apache-2.0
// Why the worker refused or ended something by its own decision. One list: the enum, the counter's name in the stats page, the
// documentation row and gwctl's text all expand it. Append only: the order is the layout of the stats page.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

// X(NAME, HTTP status or 0 where no answer is possible, sentence)
#define PST_REASONS(X)                                                                      \
    X(bad_request, 400, "the request is malformed or ambiguous")                             \
    X(header_timeout, 408, "the request head did not arrive in time")                        \
    X(header_too_large, 431, "the request head is over its limit")                           \
    X(body_too_large, 413, "the request body is over its limit")                             \
    X(unsupported_version, 505, "the HTTP version is not served")                            \
    X(expectation_failed, 417, "the Expect header asks for something unknown")               \
    X(no_host, 404, "no listener or route has this host name")                               \
    X(no_route, 404, "no rule of the host's routes matches")                                 \
    X(misdirected, 421, "the host belongs to another listener than the connection's SNI")    \
    X(unresolved_backend, 500, "the rule's backend reference does not resolve")              \
    X(no_backend, 503, "the service has no ready endpoint")                                  \
    X(backend_connect, 503, "no connection to the backend could be made")                    \
    X(backend_closed, 502, "the backend closed before it answered")                          \
    X(backend_invalid, 502, "the backend's answer is not valid HTTP, or none to what was asked") \
    X(backend_timeout, 504, "the backend did not answer in time")                            \
    X(request_timeout, 504, "the request's time was up")                                     \
    X(client_closed, 0, "the client went away in the middle of an exchange")                 \
    X(idle_timeout, 0, "the connection stalled")                                             \
    X(tls_handshake, 0, "the TLS handshake failed")                                          \
    X(tls_not_tls, 0, "the first bytes are no ClientHello")                                  \
    X(tls_no_name, 0, "no listener or route has this server name")                           \
    X(tls_no_certificate, 0, "the listener has no certificate that it can use")              \
    X(connections_limit, 0, "too many connections")                                          \
    X(udp_flows_limit, 0, "too many UDP flows")                                              \
    X(out_of_buffers, 0, "a buffer pool was empty")                                          \
    X(draining, 0, "the connection was closed by a drain deadline")                          \
    X(tls_malformed, 0, "a TLS handshake message contradicts itself or comes out of turn")   \
    X(tls_version, 0, "the client speaks no TLS version that the listener serves")           \
    X(tls_suite, 0, "client and listener have no cipher suite, group, signature or protocol (ALPN) in common") \
    X(tls_client_alert, 0, "the client broke the TLS handshake off with an alert")           \
    X(h2_protocol, 0, "the client broke a rule of HTTP/2")                                   \
    X(h2_flood, 0, "the client sent more frames of a kind over HTTP/2 than it can have reason to") \
    X(backend_tls, 502, "the backend's TLS handshake failed, or its certificate is not the one to expect") \
    X(cors_origin, 403, "a preflight from an origin that the route's CORS filter does not allow") \
    X(backend_full, 503, "every endpoint has as many connections as it may") \
    X(proxy_header, 0, "the connection does not begin with the PROXY protocol header that its port requires") \
    X(source_limit, 0, "the client has too many connections") \
    X(body_too_slow, 408, "the request body came too slowly") \
    X(mirror_body, 0, "a request was not mirrored: its body is too long to be kept, or did not come whole") \
    X(mirror_limit, 0, "a request was not mirrored: too many copies are on their way") \
    X(mirror_failed, 0, "a mirror was not reached, or gave no answer")

enum class Reason : std::uint8_t {
#define PST_X(name, status, text) name,
    PST_REASONS(PST_X)
#undef PST_X
};

struct ReasonInfo {
    std::string_view name;
    std::uint16_t status;  // of the HTTP answer; 0: none is possible
    std::string_view text;
};

inline constexpr std::array kReasons = {
#define PST_X(name, status, text) ReasonInfo{#name, status, text},
    PST_REASONS(PST_X)
#undef PST_X
};

inline constexpr std::size_t kReasonCount = kReasons.size();
constexpr const ReasonInfo& info(Reason reason) { return kReasons[static_cast<std::size_t>(reason)]; }

}  // namespace penstock
