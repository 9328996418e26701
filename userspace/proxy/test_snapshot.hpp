// SPDX-License-Identifier: Apache-2.0
// For tests only: a snapshot made in memory, of which tables are built.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schema/part_name.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy::testing {

inline std::unique_ptr<fb::ObjectRefT> object(std::string kind, std::string name) {
    auto made = std::make_unique<fb::ObjectRefT>();
    made->kind = std::move(kind);
    made->namespace_ = "default";
    made->name = std::move(name);
    return made;
}

inline std::unique_ptr<fb::Address> address(const IpAddress& ip) {
    return std::make_unique<fb::Address>(flatbuffers::span<const std::uint8_t, 16>(ip.bytes), static_cast<std::uint8_t>(ip.family));
}

// One rule that sends everything under `path` to `backends` (keys of backend parts; "" is unresolved).
struct RuleSpec {
    std::string path = "/";
    std::vector<std::pair<std::string, std::uint32_t>> backends = {{"web", 1}};
    fb::RuleT rule = {};
    fb::PathMatch kind = fb::PathMatch::Prefix;
};

inline fb::HostRoutesT host_routes(const std::vector<RuleSpec>& specs, std::string hostname = "") {
    fb::HostRoutesT part;
    part.hostname = std::move(hostname);
    for (const RuleSpec& spec : specs) {
        auto match = std::make_unique<fb::MatchT>();
        match->path_match = spec.kind;
        match->path = spec.path;
        match->rule = static_cast<std::uint32_t>(part.rules.size());
        part.matches.push_back(std::move(match));
        auto rule = std::make_unique<fb::RuleT>(spec.rule);
        rule->object = object("HTTPRoute", "route");
        rule->id = rule->index = static_cast<std::uint32_t>(part.rules.size());
        for (const auto& [key, weight] : spec.backends) {
            auto backend = std::make_unique<fb::WeightedBackendT>();
            backend->backends = key;
            backend->weight = weight;
            rule->backends.push_back(std::move(backend));
        }
        part.rules.push_back(std::move(rule));
    }
    return part;
}

class Snapshot {
public:
    Snapshot() {
        root.abi = fb::kAbi;
        root.limits = std::make_unique<fb::LimitsT>();
    }
    Snapshot(Snapshot&&) = default;
    Snapshot& operator=(Snapshot&&) = default;

    fb::RootT root;
    struct Ref {
        fb::PartKind kind;
        std::string key;
        fb::Digest digest;
        std::string bytes;
    };
    struct Attached {
        std::string key, routes;  // of the Host part as the worker knows it, and of ours that has its bytes
    };
    std::vector<Ref> refs;
    std::vector<Attached> attached;

    template <class Native>
    void part(fb::PartKind kind, const std::string& key, const Native& content) { bytes_part(kind, key, packed(content)); }
    // Bytes as they are, valid or not.
    void bytes_part(fb::PartKind kind, const std::string& key, std::string bytes) {
        std::erase_if(refs, [&](const auto& ref) { return ref.kind == kind && ref.key == key; });
        const fb::Digest digest(bytes.size(), std::hash<std::string>()(bytes));
        refs.push_back({kind, key, digest, std::move(bytes)});
    }
    void host(const std::string& key, const std::vector<RuleSpec>& specs) { part(fb::PartKind::Host, key, host_routes(specs)); }
    void backends(const std::string& key, const std::vector<Endpoint>& ready, fb::BackendProtocol protocol = fb::BackendProtocol::Http1,
                  const std::function<void(fb::BackendSetT&)>& change = {}) {
        fb::BackendSetT set;
        set.object = object("Service", key);
        set.port = 80;
        set.protocol = protocol;
        for (const Endpoint& endpoint : ready) {
            auto one = std::make_unique<fb::BackendEndpointT>();
            one->address = address(endpoint.address);
            one->port = endpoint.port;
            one->id = endpoint.port;  // of its own, on loopback
            set.endpoints.push_back(std::move(one));
        }
        if (change) {
            change(set);
        }
        part(fb::PartKind::Backends, key, set);
    }
    // A listener whose host names lead to host parts, all on the port named `socket`.
    std::uint32_t listener(fb::ListenerMode mode, const std::string& hostname, const std::vector<std::pair<std::string, std::string>>& hosts,
                           const std::string& certificates = "") {
        auto one = std::make_unique<fb::ListenerT>();
        const auto index = static_cast<std::uint32_t>(root.listeners.size());
        one->name = "Gateway/default/edge/" + std::to_string(index);
        one->object = object("Gateway", "edge");
        one->mode = mode;
        one->hostname = hostname;
        one->certificates = certificates;
        one->id = index;
        root.listeners.push_back(std::move(one));
        for (const auto& [name, key] : hosts) {
            attach(index, name, key);
        }
        return index;
    }
    // Gives a listener one more host, which has the routes of the Host part `key`.
    void attach(std::uint32_t listener, const std::string& hostname, const std::string& key) { attached.push_back({fb::host_key(root.listeners[listener]->name, hostname), key}); }
    // Takes the hosts that have these routes from their listeners.
    void detach(const std::string& key) {
        std::erase_if(attached, [&](const Attached& one) { return one.routes == key; });
    }
    void remove(fb::PartKind kind, const std::string& key) {
        std::erase_if(refs, [&](const Ref& ref) { return ref.kind == kind && ref.key == key; });
    }
    [[nodiscard]] bool has(fb::PartKind kind, const std::string& key) const {
        return std::any_of(refs.begin(), refs.end(), [&](const Ref& ref) { return ref.kind == kind && ref.key == key; });
    }
    void port(fb::PortMode mode, const std::vector<std::uint32_t>& listeners, const std::string& socket = "edge", std::uint16_t number = 80) {
        auto one = std::make_unique<fb::PortT>();
        one->address = address(IpAddress::any(Family::v4));
        one->port = number;
        one->mode = mode;
        one->socket = socket;
        one->listeners = listeners;
        root.ports.push_back(std::move(one));
    }

    // Puts the lists of parts, of three each, where the storage finds them.
    [[nodiscard]] std::string root_bytes() const {
        fb::RootT named = root;
        std::map<std::string, Ref> listed;
        for (const Ref& ref : refs) {
            listed[fb::part_path(ref.kind, ref.key)] = ref;
        }
        for (const Attached& one : attached) {
            const auto routes = listed.find(fb::part_path(fb::PartKind::Host, one.routes));
            if (routes != listed.end()) {
                Ref ref = routes->second;
                ref.key = one.key;
                listed[fb::part_path(ref.kind, ref.key)] = std::move(ref);
            }
        }
        for (const Attached& one : attached) {
            listed.erase(fb::part_path(fb::PartKind::Host, one.routes));
        }
        for (auto at = listed.begin(); at != listed.end();) {
            at = add_list(at, listed.end(), named);
        }
        return packed(named);
    }
    [[nodiscard]] Storage storage() const {
        return {.list = [this](const std::string& name) { return find(lists, name); }, .key = [this](const std::string& name) { return find(keys, name); }};
    }
    [[nodiscard]] Result<Built> build(const Tables* previous = nullptr) const {
        const std::string bytes = root_bytes();
        return build_tables({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, storage(), previous);
    }

    mutable std::map<std::string, std::string> lists;  // by name; made with the root
    std::map<std::string, std::string> keys;

private:
    template <class Native>
    static std::string packed(const Native& content) {
        flatbuffers::FlatBufferBuilder builder;
        builder.Finish(Native::TableType::Pack(builder, &content));
        return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
    }
    template <class At>
    At add_list(At at, At end, fb::RootT& to) const {
        fb::PartListT list;
        auto named = std::make_unique<fb::ListRefT>();
        named->key = at->first;
        for (int i = 0; i < 3 && at != end; ++i, ++at) {
            const Ref& ref = at->second;
            list.parts.push_back(std::make_unique<fb::PartT>());
            list.parts.back()->kind = ref.kind;
            list.parts.back()->key = ref.key;
            list.parts.back()->digest = std::make_unique<fb::Digest>(ref.digest);
            list.parts.back()->bytes.assign(ref.bytes.begin(), ref.bytes.end());
        }
        std::string bytes = packed(list);
        named->digest = std::to_string(std::hash<std::string>()(bytes));
        lists[fb::list_name(named->key, named->digest)] = std::move(bytes);
        to.lists.push_back(std::move(named));
        return at;
    }

    static Result<std::span<const std::uint8_t>> find(const std::map<std::string, std::string>& where, const std::string& name) {
        const auto found = where.find(name);
        if (found == where.end()) {
            return Error{.code = Errc::not_found, .what = name + " is not there"};
        }
        return std::span<const std::uint8_t>(reinterpret_cast<const std::uint8_t*>(found->second.data()), found->second.size());
    }
};

inline fb::CertificateSetT certificate_set(const std::string& key_id, const std::string& chain_pem, const std::string& name) {
    fb::CertificateSetT set;
    auto one = std::make_unique<fb::CertificateT>();
    one->chain_pem = chain_pem;
    one->key_id = key_id;
    one->names = {name};
    one->object = object("Secret", name);
    set.certificates.push_back(std::move(one));
    return set;
}

// One plain HTTP port whose rules are these.
inline Snapshot http_snapshot(const std::vector<Endpoint>& ready, const std::vector<RuleSpec>& rules = {RuleSpec{}}) {
    Snapshot snapshot;
    snapshot.backends("web", ready);
    snapshot.host("all", rules);
    snapshot.port(fb::PortMode::Http, {snapshot.listener(fb::ListenerMode::Http, "", {{"", "all"}})});
    return snapshot;
}

inline Snapshot raw_snapshot(fb::PortMode port, fb::ListenerMode mode, const Endpoint& backend) {
    Snapshot snapshot;
    snapshot.backends("web", {backend});
    snapshot.host("all", {RuleSpec{}});
    snapshot.port(port, {snapshot.listener(mode, "", {{"", "all"}})});
    return snapshot;
}
inline Snapshot tcp_snapshot(const Endpoint& backend) { return raw_snapshot(fb::PortMode::Tcp, fb::ListenerMode::Tcp, backend); }

}  // namespace penstock::proxy::testing
