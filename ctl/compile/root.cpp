// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/root.hpp"

#include <map>
#include <set>
#include <tuple>

#include "ctl/compile/edge.hpp"
#include "userspace/base/assert.hpp"

namespace penstock::compile {
namespace {

fb::PortMode port_mode(fb::ListenerMode mode) {
    switch (mode) {
        case fb::ListenerMode::Http: return fb::PortMode::Http;
        case fb::ListenerMode::Https:
        case fb::ListenerMode::TlsPassthrough:
        case fb::ListenerMode::TlsTerminate: return fb::PortMode::Tls;
        case fb::ListenerMode::Tcp: return fb::PortMode::Tcp;
        case fb::ListenerMode::Udp: return fb::PortMode::Udp;
    }
    PST_ASSERT(false);
    return fb::PortMode::Http;
}

using Place = std::tuple<IpAddress, Transport, std::uint16_t>;

class RootMaker {
public:
    explicit RootMaker(const RootContext& context) : context_(context) {}

    MadeSnapshot make() {
        for (const auto& [key, set] : context_.sets) {
            add(set->part);
        }
        std::map<Place, std::unique_ptr<fb::PortT>> ports;
        for (std::size_t i = 0; i < context_.front.listeners.size(); ++i) {
            const Listener& listener = context_.front.listeners[i];
            if (!listener.addresses.empty()) {
                const auto index = static_cast<std::uint32_t>(root_.listeners.size());
                root_.listeners.push_back(make_listener(i, listener));
                add_to_ports(ports, listener, index);
            }
        }
        for (auto& [place, port] : ports) {
            root_.ports.push_back(std::move(port));
        }
        add_backend_tls();
        write_edge(context_.front, context_.options, context_.tracing, root_);
        for (const auto* keys : {&context_.options.ticket_keys, &context_.options.session_keys}) {
            for (const OwnKey& key : *keys) {
                out_.snapshot.keys.emplace(key.id, key.key);
            }
        }
        finish();
        return std::move(out_);
    }

private:
    void add(const MadePartPtr& part) {
        const bool added = out_.parts.emplace(std::pair(part->kind, part->key), part).second;
        PST_ASSERT(added);
        out_.snapshot.parts.emplace(part->name, part->bytes);
    }

    std::unique_ptr<fb::ListenerT> make_listener(std::size_t index, const Listener& listener) {
        auto made = std::make_unique<fb::ListenerT>();
        made->name = listener.name;
        made->object = std::make_unique<fb::ObjectRefT>(ref_of(*listener.owner));
        made->mode = *listener.mode;
        made->hostname = listener.hostname;
        made->id = context_.listener_ids[index];
        const GatewayFront& gateway = context_.front.gateways[listener.gateway];
        if (listener.needs_certificate()) {
            made->certificates = listener.name;
            add_certificates(listener.name, *listener.owner, listener.certificates);
            made->tls = std::make_unique<fb::TlsOptionsT>(listener.tls.tls);
            add_client_trust(listener, gateway);
        }
        if (listener.mode == fb::ListenerMode::Https) {
            made->alpn = listener.tls.alpn.empty() ? std::vector<std::string>{"h2", "http/1.1"} : listener.tls.alpn;
        }
        const fb::ClientAddressT& client = gateway.settings.client_address;
        if (client.proxy_protocol != fb::ProxyProtocol::None || client.trusted_hops != 0) {
            made->client_address = std::make_unique<fb::ClientAddressT>(client);
        }
        made->limits = own_limits(context_.front, gateway);
        for (const Host& host : context_.hosts[index]) {
            add_host(listener, host, *made);
        }
        const bool nameless = listener.mode == fb::ListenerMode::Tcp || listener.mode == fb::ListenerMode::Udp;
        if (nameless && made->hosts.empty()) {
            add_host(listener, Host{}, *made);
        }
        return made;
    }

    void add_host(const Listener& listener, const Host& host, fb::ListenerT& made) {
        auto entry = std::make_unique<fb::HostEntryT>();
        entry->hostname = host.hostname;
        entry->part = listener.name + "/" + (host.hostname.empty() ? "*" : host.hostname);
        MadeHost part = make_host(entry->part, listener, host, {context_.front, context_.policies}, context_.previous_hosts, context_.previous_parts);
        add(part.part);
        out_.hosts.emplace(entry->part, std::move(part));
        made.hosts.push_back(std::move(entry));
    }

    void add_certificates(const std::string& key, const model::Object& owner, const std::vector<ServingCertificatePtr>& certificates) {
        fb::CertificateSetT set;
        for (const ServingCertificatePtr& certificate : certificates) {
            auto entry = std::make_unique<fb::CertificateT>();
            entry->chain_pem = certificate->chain_pem;
            entry->key_id = certificate->key_id;
            entry->names = certificate->names;
            entry->object = std::make_unique<fb::ObjectRefT>(ref_of(*certificate->secret));
            entry->ocsp.assign(certificate->ocsp.begin(), certificate->ocsp.end());
            set.certificates.push_back(std::move(entry));
            out_.snapshot.keys.emplace(certificate->key_id, certificate->key);
        }
        add(make_part<fb::CertificateSet>(fb::PartKind::Certificates, key, ref_of(owner), set, context_.previous_parts));
    }

    void add_trust(const std::string& key, const model::Object& owner, const fb::TrustBundleT& bundle) {
        add(make_part<fb::TrustBundle>(fb::PartKind::Trust, key, ref_of(owner), bundle, context_.previous_parts));
    }

    // One bundle for all HTTPS listeners of a Gateway's port.
    void add_client_trust(const Listener& listener, const GatewayFront& gateway) {
        const std::string& key = listener.tls.tls.client_trust;
        if (!key.empty() && !out_.parts.contains({fb::PartKind::Trust, key})) {
            fb::TrustBundleT bundle;
            bundle.pem = listener.client_authorities;
            add_trust(key, *gateway.object.object, bundle);
        }
    }

    void add_backend_tls() {
        std::set<std::string> trusts;
        std::set<std::string> clients;
        for (const auto& [key, set] : context_.sets) {
            trusts.insert(set->trust);
            clients.insert(set->client_certificate);
        }
        for (const JudgedPolicy& policy : context_.policies.all()) {
            if (trusts.erase(policy.trust) != 0) {
                add_trust(policy.trust, *policy.policy.object, policy.bundle);
            }
        }
        for (const GatewayFront& gateway : context_.front.gateways) {
            if (clients.contains(client_key(gateway))) {
                add_certificates(client_key(gateway), *gateway.object.object, {gateway.client_certificate});
            }
        }
    }

    static void add_to_ports(std::map<Place, std::unique_ptr<fb::PortT>>& ports, const Listener& listener, std::uint32_t index) {
        const auto number = static_cast<std::uint16_t>(listener.spec->port);
        for (const IpAddress& ip : listener.addresses) {
            auto& port = ports[{ip, listener.transport, number}];
            if (!port) {
                port = std::make_unique<fb::PortT>();
                port->address = std::make_unique<fb::Address>(to_fb(ip));
                port->port = number;
                port->mode = port_mode(*listener.mode);
                port->socket = (listener.transport == Transport::udp ? "udp/" : "tcp/") + Endpoint{ip, number}.text();
            }
            PST_ASSERT(port->mode == port_mode(*listener.mode));
            port->listeners.push_back(index);
        }
    }

    void finish() {
        for (const auto& [key, part] : out_.parts) {
            auto ref = std::make_unique<fb::PartRefT>();
            ref->kind = part->kind;
            ref->key = part->key;
            ref->digest = part->digest;
            ref->object = std::make_unique<fb::ObjectRefT>(part->object);
            root_.parts.push_back(std::move(ref));
        }
        root_.generation = 1;  // not the default, so that root_bytes() finds the field
        flatbuffers::FlatBufferBuilder builder(1 << 16);
        builder.Finish(fb::CreateRoot(builder, &root_));
        auto bytes = std::make_shared<const std::string>(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
        const bool same = context_.previous != nullptr && context_.previous->root && *context_.previous->root == *bytes;
        out_.snapshot.root = same ? context_.previous->root : std::move(bytes);
    }

    const RootContext& context_;
    MadeSnapshot out_;
    fb::RootT root_;
};

}  // namespace

MadeSnapshot make_snapshot(const RootContext& context) { return RootMaker(context).make(); }

}  // namespace penstock::compile
