// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/steer.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "ctl/compile/shares.hpp"

namespace penstock::compile {
namespace {

// One backendRef of the serving rule, cut down to an address family.
struct Ref {
    const BackendSet* set;
    std::uint32_t weight;
    std::uint32_t ready;
};

class Steerer {
public:
    explicit Steerer(SteerContext& context) : context_(context) {}

    Steering make() {
        const Front& front = context_.front;
        for (std::size_t i = 0; i < front.listeners.size(); ++i) {
            for (const IpAddress& ip : front.listeners[i].addresses) {
                add_vip(i, ip);
            }
        }
        const auto by_id = [](const auto& one, const auto& other) { return one.id < other.id; };
        std::sort(out_.services.begin(), out_.services.end(), by_id);
        std::sort(out_.backends.begin(), out_.backends.end(), by_id);
        std::sort(out_.vips.begin(), out_.vips.end(), [](const Vip& one, const Vip& other) {
            return std::tie(one.address.address, one.transport, one.address.port) < std::tie(other.address.address, other.transport, other.address.port);
        });
        return std::move(out_);
    }

private:
    void add_vip(std::size_t index, const IpAddress& ip) {
        const Listener& listener = context_.front.listeners[index];
        Vip vip;
        vip.address = {ip, static_cast<std::uint16_t>(listener.spec->port)};
        vip.transport = listener.transport;
        const auto place = std::tuple(vip.address, vip.transport);
        if (!seen_.emplace(place, true).second) {
            return;  // a second listener of the same port: the worker tells them apart
        }
        vip.listener = context_.listener_ids[index];
        vip.listener_name = listener.name;
        vip.object = listener.owner->key;
        const bool l4 = listener.mode == fb::ListenerMode::Tcp || listener.mode == fb::ListenerMode::Udp;
        const auto& client = context_.front.gateways[listener.gateway].settings.client_address;
        const bool header_first = listener.transport == Transport::tcp && client.proxy_protocol != fb::ProxyProtocol::None;
        const CompiledRoute* route = context_.hosts[index].empty() ? nullptr : winner(*context_.hosts[index].begin()->second);
        if (context_.options.xdp && l4 && !header_first && route != nullptr) {
            if (const auto service = service_for(*route, listener.transport, ip.family)) {
                vip.target = Vip::Target::service;
                vip.service = *service;
            }
        }
        out_.vips.push_back(std::move(vip));
    }

    [[nodiscard]] bool is_own(const IpAddress& address) const {
        const auto& own = context_.options.own_addresses;
        return address.is_loopback() || std::find(own.begin(), own.end(), address) != own.end();
    }

    // The references of the first rule; nothing if a share of the traffic has to be refused, changes family, stays on this node's
    // sockets or begins with a PROXY header.
    std::optional<std::vector<Ref>> refs_of(const CompiledRoute& route, Family family) const {
        if (route.rules.rules.empty()) {
            return std::nullopt;
        }
        std::vector<Ref> refs;
        bool any = false;
        for (const auto& backend : route.rules.rules.front()->backends) {
            const UsedSet* found = context_.sets.get(backend->backends);
            const BackendSet* set = found != nullptr ? found->set.get() : nullptr;
            const auto ready = set == nullptr ? 0 : std::count_if(set->endpoints.begin(), set->endpoints.end(), [&](const SetEndpoint& endpoint) {
                return !endpoint.draining && endpoint.endpoint.address.family == family;
            });
            const bool header_first = set != nullptr && set->settings.proxy_protocol != fb::ProxyProtocol::None;
            const bool own = set != nullptr && std::any_of(set->endpoints.begin(), set->endpoints.end(), [&](const SetEndpoint& endpoint) {
                return endpoint.endpoint.address.family == family && is_own(endpoint.endpoint.address);
            });
            if (backend->weight != 0 && (ready == 0 || own || header_first)) {
                return std::nullopt;
            }
            any |= backend->weight != 0;
            if (set != nullptr) {
                refs.push_back({set, backend->weight, static_cast<std::uint32_t>(ready)});
            }
        }
        return any ? std::optional(std::move(refs)) : std::nullopt;
    }

    std::optional<std::uint16_t> service_for(const CompiledRoute& route, Transport transport, Family family) {
        Service service;
        service.object = route.object->key;
        service.name = route.rules.ids.empty() ? std::string() : route.rules.ids.front() + (family == Family::v6 ? "/v6" : "/v4");
        service.family = family;
        service.transport = transport;
        if (const auto made = made_.find(service.name); made != made_.end()) {
            return made->second;
        }
        std::optional<std::uint16_t>& id = made_[service.name];
        const auto refs = refs_of(route, family);
        if (refs) {
            id = add_service(std::move(service), *refs);
        }
        return id;
    }

    std::optional<std::uint16_t> add_service(Service service, const std::vector<Ref>& refs) {
        const auto id = context_.service_ids.take(service.name);
        std::vector<Backend> backends;
        if (!id || !add_backends(service, refs, static_cast<std::uint16_t>(*id), backends)) {
            return std::nullopt;  // the tables are full: the worker serves it
        }
        service.id = static_cast<std::uint16_t>(*id);
        std::sort(service.backends.begin(), service.backends.end(), [](const auto& one, const auto& other) { return one.backend < other.backend; });
        out_.backends.insert(out_.backends.end(), backends.begin(), backends.end());
        out_.services.push_back(std::move(service));
        return static_cast<std::uint16_t>(*id);
    }

    // An endpoint that several references lead to is one backend with the sum of their shares.
    bool add_backends(Service& service, const std::vector<Ref>& refs, std::uint16_t service_id, std::vector<Backend>& backends) {
        std::vector<Share> shares;
        for (const Ref& ref : refs) {
            shares.push_back({ref.weight, ref.ready});
        }
        const std::vector<std::uint32_t> weights = endpoint_weights(shares);
        std::map<Endpoint, std::size_t> known;
        for (std::size_t i = 0; i < refs.size(); ++i) {
            for (const SetEndpoint& endpoint : refs[i].set->endpoints) {
                if (endpoint.endpoint.address.family != service.family) {
                    continue;
                }
                const std::uint32_t weight = endpoint.draining ? 0 : weights[i];
                const auto [place, added] = known.try_emplace(endpoint.endpoint, service.backends.size());
                if (!added) {
                    WeightedBackend& same = service.backends[place->second];
                    same.weight = std::min(same.weight + weight, kServiceWeightMax);
                    same.draining = same.weight == 0;
                    continue;
                }
                const auto id = context_.backend_ids.take(service.name + "/" + endpoint.endpoint.text());
                if (!id) {
                    return false;
                }
                service.backends.push_back({*id, weight, weight == 0});
                backends.push_back({*id, service_id, endpoint.endpoint, endpoint.node, endpoint.target, refs[i].set->service->key});
            }
        }
        return true;
    }

    SteerContext& context_;
    Steering out_;
    std::map<std::tuple<Endpoint, Transport>, bool> seen_;
    std::map<std::string, std::optional<std::uint16_t>> made_;  // by Service.name
};

}  // namespace

Steering make_steering(SteerContext& context) { return Steerer(context).make(); }

}  // namespace penstock::compile
