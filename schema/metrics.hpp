// SPDX-License-Identifier: Apache-2.0
// What /metrics says. One list: the names, the HELP and TYPE lines and the documentation expand it.
// Labels: listener "Gateway/ns/name/section"; route "HTTPRoute/ns/name" and rule, its number in the route; service "Service ns/name:port";
// code "1xx" to "5xx", or "none" where no answer was given. No label has a value that a client can make up.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace penstock {

// Rows of routes and of services each; what is beyond is summed under the name "_other".
inline constexpr std::size_t kMetricsRowsMax = 1000;

// X(enumerator, name, type, labels, sentence)
#define PST_METRICS(X)                                                                                                                        \
    X(build_info, "penstock_build_info", gauge, "version,commit", "1, for its labels")                                                         \
    X(generation, "penstock_generation", gauge, "", "Number of the configuration that every thread of the worker serves")                      \
    X(threads, "penstock_worker_threads", gauge, "", "Threads of the worker")                                                                   \
    X(connections_open, "penstock_connections_open", gauge, "", "Connections of clients that are open now")                                     \
    X(tls_connections, "penstock_tls_connections_total", counter, "records", "TLS connections, to backends too, by who made their records at first: openssl or own") \
    X(ktls_connections, "penstock_ktls_connections_total", counter, "direction", "Of those with records of our own: whose records the kernel went on to write or to read") \
    X(spliced_bytes, "penstock_spliced_bytes_total", counter, "", "Bytes of bodies and tunnels that went from socket to socket in the kernel, unread") \
    X(refused, "penstock_refused_total", counter, "reason", "What was refused or ended by our decision; limits that struck are among them")     \
    X(listener_connections, "penstock_listener_connections_total", counter, "listener", "Connections accepted; UDP: flows begun")               \
    X(listener_received, "penstock_listener_received_bytes_total", counter, "listener", "Bytes from clients, without TLS")                       \
    X(listener_sent, "penstock_listener_sent_bytes_total", counter, "listener", "Bytes to clients, without TLS; over HTTP/2 of bodies only")    \
    X(listener_tls, "penstock_listener_tls_handshakes_total", counter, "listener,result", "TLS handshakes: full, resumed or failed")            \
    X(listener_requests, "penstock_listener_requests_total", counter, "listener,code", "Requests that are over")                                \
    X(listener_duration, "penstock_listener_request_duration_seconds", histogram, "listener", "From a request's head to its end")               \
    X(route_requests, "penstock_route_requests_total", counter, "route,rule,code", "Requests that are over")                                    \
    X(route_retries, "penstock_route_retries_total", counter, "route,rule", "Attempts at a backend beyond the first")                           \
    X(route_duration, "penstock_route_request_duration_seconds", histogram, "route,rule", "From a request's head to its end")                   \
    X(service_requests, "penstock_service_requests_total", counter, "service,code", "Attempts at requests, as the endpoints answered")          \
    X(service_connections, "penstock_service_connections_total", counter, "service", "Connections made to endpoints")                           \
    X(service_reused, "penstock_service_reused_connections_total", counter, "service", "Attempts on a kept connection")                         \
    X(service_failures, "penstock_service_connect_failures_total", counter, "service", "Connections to endpoints that did not come about")      \
    X(service_duration, "penstock_service_response_duration_seconds", histogram, "service", "From the choice of an endpoint to the head of its answer") \
    X(log_lines, "penstock_log_lines_total", counter, "", "Lines of the access log")                                                            \
    X(log_lines_lost, "penstock_log_lines_lost_total", counter, "", "Lines of the access log that nobody took")                                 \
    X(spans_exported, "penstock_spans_exported_total", counter, "", "Spans that the collector took")                                            \
    X(spans_lost, "penstock_spans_lost_total", counter, "", "Spans that were dropped: the collector was away or refused them")                  \
    X(packets, "penstock_packets_total", counter, "verdict,class", "Packets that the packet core saw, by what became of them")                  \
    X(reconciles, "penstock_reconciles_total", counter, "cause", "Reconciliations by the daemon: for an event, or a resync that none asked for") \
    X(resync_repairs, "penstock_resync_repairs_total", counter, "", "What resyncs found that events had not brought about")                     \
    X(not_good, "penstock_conditions_not_good", gauge, "", "Conditions of objects that are not good")                                           \
    X(errors, "penstock_errors", gauge, "", "Errors of the daemon that are not solved")                                                         \
    X(addresses_held, "penstock_addresses_held", gauge, "", "Addresses that this node has, of those that nodes share out")                      \
    X(address_takeovers, "penstock_address_takeovers_total", counter, "", "Addresses that came to this node, from others or from nobody")       \
    X(addresses_yielded, "penstock_addresses_yielded_total", counter, "", "Addresses left to who claimed them while the API server was away")   \
    X(nodes_reporting, "penstock_nodes_reporting", gauge, "", "Nodes of the cluster that live and tell what they have taken")                   \
    X(objects_not_everywhere, "penstock_objects_not_everywhere", gauge, "", "Gateways and ListenerSets that a live node has not taken, or not whole") \
    X(node_reports_written, "penstock_node_reports_written_total", counter, "", "Writes of this node's PenstockNode")

enum class MetricType : std::uint8_t { counter, gauge, histogram };

enum class Metric : std::uint8_t {
#define PST_X(id, name, type, labels, text) id,
    PST_METRICS(PST_X)
#undef PST_X
};

struct MetricInfo {
    std::string_view name;
    MetricType type;
    std::string_view labels;
    std::string_view text;
};

inline constexpr std::array kMetrics = {
#define PST_X(id, name, type, labels, text) MetricInfo{name, MetricType::type, labels, text},
    PST_METRICS(PST_X)
#undef PST_X
};

constexpr const MetricInfo& info(Metric metric) { return kMetrics[static_cast<std::size_t>(metric)]; }

}  // namespace penstock
