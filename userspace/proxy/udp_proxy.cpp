// SPDX-License-Identifier: Apache-2.0
// UDP listeners: a flow is one client address and one of ours; it has a connected socket to its backend, keeps that backend for life, and
// ends when nothing moved for a while. The number of flows is bounded: beyond, new clients wait until others end.
#include <cerrno>
#include <unordered_map>

#include "userspace/proxy/backend_connect.hpp"
#include "userspace/proxy/event.hpp"
#include "userspace/proxy/ports.hpp"

namespace penstock::proxy {

namespace {

struct FlowKey {
    Endpoint client;
    IpAddress to;
    bool operator==(const FlowKey&) const = default;
};

struct FlowHash {
    std::size_t operator()(const FlowKey& key) const { return std::hash<Endpoint>()(key.client) ^ std::hash<IpAddress>()(key.to) * 31; }
};

struct Flow {
    std::shared_ptr<const BackendSet> set;  // the claim's
    Claim claim;
    ring::Socket backend;
    ring::Time last_used;
};

class DatagramPort {
public:
    DatagramPort(Context& context, std::string socket, ring::Port port)
        : context_(context), socket_(std::move(socket)), port_(std::move(port)), scope_(context.loop) {}

    ring::Task<> run() {
        for (;;) {
            ring::Datagram datagram = co_await port_.receive();
            if (datagram.error == ECANCELED) {
                break;
            }
            if (datagram) {
                take(std::move(datagram));
            }
        }
        scope_.cancel();
        while (!flows_.empty()) {
            Event& next = ended_.emplace(context_.loop);
            co_await next;
        }
    }

private:
    void take(ring::Datagram datagram) {
        const FlowKey key{datagram.from, datagram.to};
        auto found = flows_.find(key);
        if (found == flows_.end()) {
            found = begin(key);
            if (found == flows_.end()) {
                return;
            }
        }
        found->second.last_used = context_.loop.now();
        count(context_.listener(listener_).bytes_in, datagram.buffer.size());
        if (!found->second.backend.post(std::move(datagram.buffer))) {
            context_.count_reason(Reason::out_of_buffers);
        }
    }

    using Flows = std::unordered_map<FlowKey, Flow, FlowHash>;

    Flows::iterator refuse(Reason reason) {
        context_.count_reason(reason);
        return flows_.end();
    }

    Flows::iterator begin(const FlowKey& key) {
        if (flows_.size() >= context_.udp_flows_max) {
            return refuse(Reason::udp_flows_limit);
        }
        const auto tables = context_.tables_now();
        const auto port = tables->ports.find(socket_);
        const Listener* const* listener = port == tables->ports.end() ? nullptr : port->second.listeners.find("");
        const std::shared_ptr<const Host>* host = listener == nullptr ? nullptr : (*listener)->hosts.find("");
        if (host == nullptr || (*host)->rules.empty()) {
            return refuse(Reason::no_route);
        }
        const Choice choice = choose_backend(context_, (*host)->rules.front());
        if (choice.refusal) {
            return refuse(*choice.refusal);
        }
        const std::shared_ptr<const BackendSet>& set = choice.backend->set;
        const BackendEndpoint* endpoint = choose_endpoint(context_, *set, wish_of(*set, key.client.address.text()));
        if (endpoint == nullptr) {
            return refuse(Reason::backend_full);
        }
        ring::Opened opened = context_.loop.connect_datagram(endpoint->address);
        if (!opened) {
            return refuse(Reason::backend_connect);
        }
        listener_ = (*listener)->id;
        count(context_.stats.connections_total);
        count(context_.listener(listener_).connections);
        const auto flow = flows_.emplace(key, Flow{set, Claim(context_, *set, *endpoint), std::move(opened.socket), context_.loop.now()}).first;
        context_.loop.spawn(replies(key), scope_);
        return flow;
    }

    ring::Task<> replies(FlowKey key) {
        const auto idle = std::chrono::milliseconds(context_.tables->limits.udp_idle_ms);
        Flow& flow = flows_.at(key);  // references into the map stay
        for (;;) {
            ring::Received received = co_await flow.backend.receive(flow.last_used + idle);
            if (received.error == ECANCELED || (received.error == ETIMEDOUT && context_.loop.now() - flow.last_used >= idle)) {
                break;
            }
            if (received.error != 0) {
                continue;  // one datagram was refused (ICMP), or the deadline moved on
            }
            flow.last_used = context_.loop.now();
            count(context_.listener(listener_).bytes_out, received.buffer.size());
            if (!port_.post(std::move(received.buffer), key.client, key.to)) {
                context_.count_reason(Reason::out_of_buffers);
            }
        }
        flows_.erase(key);
        if (ended_) {
            ended_->set();
        }
    }

    Context& context_;
    std::string socket_;
    ring::Port port_;
    ring::Scope scope_;
    std::optional<Event> ended_;  // somebody waits for the next flow's end
    Flows flows_;
    std::uint32_t listener_ = 0;
};

}  // namespace

ring::Task<> serve_datagrams(Context& context, std::string socket, ring::Port port) {
    DatagramPort served(context, std::move(socket), std::move(port));
    co_await served.run();
}

}  // namespace penstock::proxy
