// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/root.hpp"

#include <map>
#include <set>
#include <tuple>

#include "ctl/compile/edge.hpp"
#include "schema/part_name.hpp"
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
    RootMaker(const RootContext& context, Parts parts, RootMemory& memory) : context_(context), memory_(memory) { out_.parts = std::move(parts); }

    Snapshot make() {
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
        if (!context_.policies.none()) {
            add_backend_tls();
        }
        put_others();
        write_edge(context_.front, context_.options, context_.tracing, root_);
        for (const auto* keys : {&context_.options.ticket_keys, &context_.options.session_keys}) {
            for (const OwnKey& key : *keys) {
                out_.keys.emplace(key.id, key.key);
            }
        }
        finish();
        return std::move(out_);
    }

private:
    void add(PartPtr part) {
        const bool added = made_.emplace(fb::part_path(part->kind, part->key), std::move(part)).second;
        PST_ASSERT(added);
    }

    // Of all parts but hosts and sets, which are up to date.
    void put_others() {
        for (const std::string& path : memory_.others) {
            if (!made_.contains(path)) {
                out_.parts.erase(path);
            }
        }
        memory_.others.clear();
        for (auto& [path, part] : made_) {
            memory_.others.push_back(path);
            const PartPtr* there = out_.parts.get(path);
            if (there == nullptr || *there != part) {
                out_.parts.set(path, std::move(part));
            }
        }
    }

    std::unique_ptr<fb::ListenerT> make_listener(std::size_t index, const Listener& listener) {
        auto made = std::make_unique<fb::ListenerT>();
        made->name = listener.name;
        made->object = std::make_unique<fb::ObjectRefT>(ref_of(*listener.owner));
        made->mode = *listener.mode;
        made->hostname = listener.hostname;
        made->id = context_.listener_ids[index];
        const GatewayFront& gateway = context_.front.gateways[listener.gateway];
        if (listener.needs_certificate() && listener.servable()) {
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
        made->via = gateway.settings.via;
        return made;
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
            out_.keys.emplace(certificate->key_id, certificate->key);
        }
        add(make_part<fb::CertificateSet>(fb::PartKind::Certificates, key, ref_of(owner), set, context_.previous_parts));
    }

    void add_trust(const std::string& key, const model::Object& owner, const fb::TrustBundleT& bundle) {
        add(make_part<fb::TrustBundle>(fb::PartKind::Trust, key, ref_of(owner), bundle, context_.previous_parts));
    }

    // One bundle for all HTTPS listeners of a Gateway's port.
    void add_client_trust(const Listener& listener, const GatewayFront& gateway) {
        const std::string& key = listener.tls.tls.client_trust;
        if (!key.empty() && !made_.contains(fb::part_path(fb::PartKind::Trust, key))) {
            fb::TrustBundleT bundle;
            bundle.pem = listener.client_authorities;
            add_trust(key, *gateway.object.object, bundle);
        }
    }

    void add_backend_tls() {
        std::set<std::string> trusts;
        std::set<std::string> clients;
        for (const auto& [key, used] : context_.sets) {
            trusts.insert(used.set->trust);
            clients.insert(used.set->client_certificate);
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
        root_.generation = 1;  // not the default, so that root_bytes() finds the field
        root_.abi = fb::kAbi;
        make_lists();
        out_.root = std::make_shared<const std::string>(packed());
        if (context_.previous != nullptr && context_.previous->root && *context_.previous->root == *out_.root) {
            out_.root = context_.previous->root;
        }
    }

    // Of a piece that was there before the list is known: nothing is walked but what changed.
    void make_lists() {
        std::map<const Parts::Piece*, ListPtr> known;
        for (ListPtr& list : memory_.lists) {
            known.emplace(list->parts.get(), std::move(list));
        }
        std::vector<ListPtr> lists;
        std::set<std::string> keys;
        for (std::size_t i = 0; i < out_.parts.pieces(); ++i) {
            const Parts::PiecePtr piece = out_.parts.piece(i);
            const auto before = known.find(piece.get());
            lists.push_back(before != known.end() ? before->second : make_list(piece));
            name_list(*lists.back());
            keys.insert(lists.back()->key);
        }
        keep_lists(lists, keys);
        memory_.lists = std::move(lists);
    }

    // What a list is follows from its form and the names of its parts.
    static ListPtr make_list(const Parts::PiecePtr& piece) {
        std::string names = std::to_string(fb::kAbi) + "\n";
        for (const auto& [path, part] : *piece) {
            names += path + "/" + fb::hex(part->digest) + "\n";
        }
        return std::make_shared<const List>(List{.key = piece->front().first, .digest = fb::hex(digest_of(names)), .parts = piece});
    }

    void name_list(const List& list) {
        auto ref = std::make_unique<fb::ListRefT>();
        ref->key = list.key;
        ref->digest = list.digest;
        root_.lists.push_back(std::move(ref));
    }

    // One that says what it said is the same object as before.
    void keep_lists(const std::vector<ListPtr>& lists, const std::set<std::string>& keys) {
        const Lists before = context_.previous != nullptr ? context_.previous->lists : Lists();
        out_.lists = before;
        for (const auto& [key, list] : before) {
            if (!keys.contains(key)) {
                out_.lists.erase(key);
            }
        }
        for (const ListPtr& list : lists) {
            const ListPtr* there = out_.lists.get(list->key);
            if (there == nullptr || (*there)->digest != list->digest) {
                out_.lists.set(list->key, list);
            }
        }
    }

    [[nodiscard]] std::string packed() const {
        flatbuffers::FlatBufferBuilder builder(1 << 14);
        builder.Finish(fb::CreateRoot(builder, &root_));
        return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
    }

    const RootContext& context_;
    RootMemory& memory_;
    Snapshot out_;
    std::map<std::string, PartPtr> made_;  // by "kind/key"
    fb::RootT root_;
};

}  // namespace

Snapshot make_snapshot(const RootContext& context, Parts parts, RootMemory& memory) {
    return RootMaker(context, std::move(parts), memory).make();
}

}  // namespace penstock::compile
