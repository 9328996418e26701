// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/edge.hpp"

namespace penstock::compile {
namespace {

std::string packed(const fb::LimitsT& limits) {
    flatbuffers::FlatBufferBuilder builder(256);
    builder.Finish(fb::CreateLimits(builder, &limits));
    return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

void write_metrics(const Endpoint& endpoint, fb::RootT& root) {
    auto port = std::make_unique<fb::PortT>();
    port->address = std::make_unique<fb::Address>(to_fb(endpoint.address));
    port->port = endpoint.port;
    port->mode = fb::PortMode::Metrics;
    port->socket = "tcp/" + endpoint.text();
    root.ports.push_back(std::move(port));
}

}  // namespace

Tracing resolve_tracing(const Front& front, Backends& backends) {
    const ClassFront* edge = front.edge();
    if (edge == nullptr || !edge->settings.tracing_to) {
        return {};
    }
    const TracingSettings& to = *edge->settings.tracing_to;
    model::BackendObjectRef ref;
    ref.ns = to.ns;
    ref.name = to.service;
    ref.port = to.port;
    const Resolved resolved = backends.resolve({"GatewayClass", to.ns, Transport::tcp, true, false}, ref);
    if (!resolved.use) {
        return {.set = {}, .fault = std::string(kAnnotationPrefix) + "tracing-service: " + resolved.fault->message};
    }
    ServedSet served{resolved.use->key, *resolved.use, nullptr, nullptr};
    backends.use(served);
    return {.set = std::move(served), .fault = {}};
}

void write_edge(const Front& front, const Options& options, const std::optional<ServedSet>& tracing, fb::RootT& root) {
    const ClassSettings& settings = front.edge_settings();
    root.limits = std::make_unique<fb::LimitsT>(settings.limits);
    if (settings.log_format) {
        root.access_log = std::make_unique<fb::AccessLogT>(settings.log);
        root.access_log->format = *settings.log_format;
    }
    if (tracing) {
        root.tracing = std::make_unique<fb::TracingT>(settings.tracing);
        root.tracing->backends = tracing->key;
    }
    if (options.metrics) {
        write_metrics(*options.metrics, root);
    }
    for (const OwnKey& key : options.ticket_keys) {
        root.ticket_keys.push_back(key.id);
    }
    for (const OwnKey& key : options.session_keys) {
        root.session_keys.push_back(key.id);
    }
}

std::unique_ptr<fb::LimitsT> own_limits(const Front& front, const GatewayFront& gateway) {
    const bool same = packed(gateway.settings.limits) == packed(front.edge_settings().limits);
    return same ? nullptr : std::make_unique<fb::LimitsT>(gateway.settings.limits);
}

}  // namespace penstock::compile
