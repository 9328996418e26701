// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dump_snapshot.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "ctl/compile/dump_rules.hpp"
#include "ctl/compile/hostname.hpp"
#include "schema/views.hpp"
#include "userspace/base/assert.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::compile {
namespace {

namespace fb = penstock::snapshot;

std::string address_text(const fb::Address& address) {
    IpAddress ip;
    std::memcpy(ip.bytes.data(), address.bytes()->data(), ip.bytes.size());
    ip.family = address.family() == 6 ? Family::v6 : Family::v4;
    return ip.text();
}

// The bytes of the parts by "kind/key".
using Index = std::map<std::pair<fb::PartKind, std::string>, const std::string*>;

Index index_of(const Snapshot& snapshot) {
    Index index;
    for (const auto& [path, part] : snapshot.parts) {
        index.emplace(std::pair(part->kind, part->key), part->bytes.get());
    }
    return index;
}

template <class Table>
const Table& part_of(const Index& index, fb::PartKind kind, const std::string& key) {
    const auto found = index.find({kind, key});
    PST_ASSERT(found != index.end());
    return *flatbuffers::GetRoot<Table>(found->second->data());
}

void add_host(std::string& out, const fb::HostRoutes& host) {
    out += "    host " + (host.hostname()->size() == 0 ? std::string("*") : host.hostname()->str()) + "\n";
    for (const fb::Match* match : *host.matches()) {
        out += "      " + match_text(*match) + " -> " + rule_text(*host.rules()->Get(match->rule())) + "\n";
    }
    for (std::size_t i = 0; host.matches()->size() == 0 && i < host.rules()->size(); ++i) {
        out += "      -> " + rule_text(*host.rules()->Get(static_cast<flatbuffers::uoffset_t>(i))) + "\n";
    }
}

const char* proxy_text(fb::ProxyProtocol protocol) {
    static constexpr const char* kNames[] = {"off", "v1", "v2", "any"};
    return kNames[static_cast<std::size_t>(protocol)];
}

// Those that are not the defaults.
std::string limits_text(const fb::Limits& limits) {
    const fb::LimitsT defaults;
    fb::LimitsT values;
    limits.UnPackTo(&values);
    std::string out;
    const auto add = [&](const char* name, auto value, auto standard) {
        out += value != standard ? std::string(out.empty() ? "" : " ") + name + "=" + std::to_string(value) : "";
    };
#define PST_X(name) add(#name, values.name, defaults.name);
    PST_X(header_bytes_max) PST_X(headers_max) PST_X(body_bytes_max) PST_X(request_header_ms) PST_X(idle_ms) PST_X(body_stall_ms)
    PST_X(backend_connect_ms) PST_X(backend_idle_ms) PST_X(pool_idle_per_backend_max) PST_X(udp_idle_ms) PST_X(connections_max) PST_X(drain_ms)
    PST_X(requests_per_connection_max) PST_X(connections_per_source_max) PST_X(streams_max) PST_X(retry_body_bytes_max)
    PST_X(retry_budget_percent) PST_X(retry_budget_min)
#undef PST_X
    return out;
}

std::string tls_text(const fb::TlsOptions& tls) {
    static constexpr const char* kClients[] = {"", " clients=valid", " clients=fallback"};
    std::string out = tls.version_min() == 0x0304 ? " min=1.3" : "";
    out += tls.version_max() == 0x0303 ? " max=1.2" : "";
    out += tls.ciphers() != nullptr ? " ciphers=" + fb::string_of(tls.ciphers()) : "";
    out += tls.ciphersuites() != nullptr ? " ciphersuites=" + fb::string_of(tls.ciphersuites()) : "";
    for (std::size_t i = 0; tls.groups() != nullptr && i < tls.groups()->size(); ++i) {
        out += (i == 0 ? " groups=" : ",") + tls.groups()->Get(static_cast<flatbuffers::uoffset_t>(i))->str();
    }
    out += tls.tickets() ? "" : " tickets=off";
    out += kClients[static_cast<std::size_t>(tls.client_certificates())];
    return out + (tls.client_trust() != nullptr ? "(" + fb::string_of(tls.client_trust()) + ")" : "");
}

void add_certificates(std::string& out, const Index& index, const std::string& key) {
    for (const fb::Certificate* certificate : *part_of<fb::CertificateSet>(index, fb::PartKind::Certificates, key).certificates()) {
        out += " certificate=" + certificate->object()->namespace_()->str() + "/" + certificate->object()->name()->str();
        out += certificate->ocsp() != nullptr ? "(stapled)" : "";
    }
}

std::string joined_alpn(const fb::Listener& listener) {
    std::string out;
    for (std::size_t i = 0; listener.alpn() != nullptr && i < listener.alpn()->size(); ++i) {
        out += (i == 0 ? "" : ",") + listener.alpn()->Get(static_cast<flatbuffers::uoffset_t>(i))->str();
    }
    return out;
}

// Most specific first.
std::vector<const fb::HostRoutes*> hosts_of(const Index& index, const fb::Listener& listener) {
    std::vector<const fb::HostRoutes*> hosts;
    const std::string prefix = listener.name()->str() + "/";
    for (auto at = index.lower_bound({fb::PartKind::Host, prefix}); at != index.end() && at->first.first == fb::PartKind::Host && at->first.second.starts_with(prefix); ++at) {
        hosts.push_back(flatbuffers::GetRoot<fb::HostRoutes>(at->second->data()));
    }
    std::sort(hosts.begin(), hosts.end(), [](const auto* one, const auto* other) { return more_specific(one->hostname()->string_view(), other->hostname()->string_view()); });
    return hosts;
}

void add_listener(std::string& out, const Index& index, const fb::Listener& listener) {
    out += "  " + listener.name()->str() + " " + fb::EnumNameListenerMode(listener.mode());
    out += listener.hostname() != nullptr ? " host=" + fb::string_of(listener.hostname()) : "";
    if (listener.certificates() != nullptr) {
        add_certificates(out, index, listener.certificates()->str());
    }
    out += listener.tls() != nullptr ? tls_text(*listener.tls()) : "";
    const std::string alpn = joined_alpn(listener);
    out += alpn.empty() || alpn == "h2,http/1.1" ? "" : " alpn=" + alpn;
    if (const fb::ClientAddress* client = listener.client_address()) {
        out += std::string(" proxy_protocol=") + proxy_text(client->proxy_protocol()) + " trusted_hops=" + std::to_string(client->trusted_hops());
    }
    out += listener.via() != nullptr ? " via=" + fb::string_of(listener.via()) : "";
    out += listener.limits() != nullptr ? " limits(" + limits_text(*listener.limits()) + ")" : "";
    out += "\n";
    for (const fb::HostRoutes* host : hosts_of(index, listener)) {
        add_host(out, *host);
    }
}

void add_backend_tls(std::string& out, const Index& index, const fb::BackendTls* tls) {
    if (tls == nullptr) {
        return;
    }
    out += " tls(" + fb::string_of(tls->server_name()) + " trust=" + fb::string_of(tls->trust());
    for (std::size_t i = 0; tls->sans() != nullptr && i < tls->sans()->size(); ++i) {
        const fb::San* san = tls->sans()->Get(static_cast<flatbuffers::uoffset_t>(i));
        out += (san->kind() == fb::SanKind::Uri ? " uri=" : " dns=") + san->value()->str();
    }
    if (tls->client_certificate() != nullptr) {
        add_certificates(out, index, tls->client_certificate()->str());
    }
    out += ")";
}

void add_backends(std::string& out, const Index& index, const std::string& key, const fb::BackendSet& set) {
    static constexpr const char* kBalances[] = {"", " balance=least-request", " balance=consistent"};
    out += "  " + key;
    for (const fb::BackendEndpoint* endpoint : *set.endpoints()) {
        const std::string address = address_text(*endpoint->address());
        out += " " + (endpoint->address()->family() == 6 ? "[" + address + "]" : address) + ":" + std::to_string(endpoint->port());
        out += endpoint->state() == fb::EndpointState::Draining ? "(draining)" : "";
    }
    add_backend_tls(out, index, set.tls());
    out += kBalances[static_cast<std::size_t>(set.balance())];
    out += set.hash_header() != nullptr ? "(" + fb::string_of(set.hash_header()) + ")" : "";
    out += set.connections_max() != 0 ? " connections_max=" + std::to_string(set.connections_max()) : "";
    out += set.proxy_protocol() != fb::ProxyProtocol::None ? std::string(" proxy_protocol=") + proxy_text(set.proxy_protocol()) : "";
    const fb::PassiveHealthT defaults;
    const fb::PassiveHealth& health = *set.health();
    if (health.failures() != defaults.failures || health.eject_ms() != defaults.eject_ms || health.eject_percent_max() != defaults.eject_percent_max) {
        out += " eject(" + std::to_string(health.failures()) + " failures " + std::to_string(health.eject_ms()) + " ms " +
               std::to_string(health.eject_percent_max()) + "%)";
    }
    out += "\n";
}

void add_trust(std::string& out, const std::string& key, const fb::TrustBundle& bundle) {
    const std::string pem = fb::string_of(bundle.pem());
    std::size_t count = 0;
    for (std::size_t at = pem.find("-----BEGIN"); at != std::string::npos; at = pem.find("-----BEGIN", at + 1)) {
        ++count;
    }
    out += "  " + key + (bundle.system() ? " of the system" : " authorities=" + std::to_string(count)) + "\n";
}

// What holds for all listeners, if something is not the default.
void add_edge(std::string& out, const fb::Root& root) {
    const std::string limits = limits_text(*root.limits());
    out += limits.empty() ? "" : "  limits " + limits + "\n";
    if (const fb::AccessLog* log = root.access_log()) {
        out += std::string("  access_log ") + fb::EnumNameLogFormat(log->format()) + " sample_per_million=" + std::to_string(log->sample_per_million()) + (log->query() ? " query" : "") + "\n";
    }
    if (const fb::Tracing* tracing = root.tracing()) {
        out += "  tracing " + fb::string_of(tracing->backends()) + " path=" + fb::string_of(tracing->path()) + " name=" + fb::string_of(tracing->service_name()) +
               " sample_per_million=" + std::to_string(tracing->sample_per_million()) + "\n";
    }
    for (std::size_t i = 0; root.ticket_keys() != nullptr && i < root.ticket_keys()->size(); ++i) {
        out += "  ticket_key " + root.ticket_keys()->Get(static_cast<flatbuffers::uoffset_t>(i))->str() + "\n";
    }
    for (std::size_t i = 0; root.session_keys() != nullptr && i < root.session_keys()->size(); ++i) {
        out += "  session_key " + root.session_keys()->Get(static_cast<flatbuffers::uoffset_t>(i))->str() + "\n";
    }
}

}  // namespace

std::string dump(const Snapshot& snapshot) {
    const fb::Root& root = *fb::GetRoot(snapshot.root->data());
    const Index index = index_of(snapshot);
    std::string edge;
    add_edge(edge, root);
    std::string out = edge.empty() ? "" : "edge\n" + edge;
    out += "ports\n";
    for (const fb::Port* port : *root.ports()) {
        out += "  " + port->socket()->str() + " " + fb::EnumNamePortMode(port->mode());
        for (const std::uint32_t listener : *port->listeners()) {
            out += " " + root.listeners()->Get(listener)->name()->str();
        }
        out += "\n";
    }
    out += "listeners\n";
    for (const fb::Listener* listener : *root.listeners()) {
        add_listener(out, index, *listener);
    }
    out += "backends\n";
    for (const auto& [name, bytes] : index) {
        if (name.first == fb::PartKind::Backends) {
            add_backends(out, index, name.second, *flatbuffers::GetRoot<fb::BackendSet>(bytes->data()));
        }
    }
    std::string trust;
    for (const auto& [name, bytes] : index) {
        if (name.first == fb::PartKind::Trust) {
            add_trust(trust, name.second, *flatbuffers::GetRoot<fb::TrustBundle>(bytes->data()));
        }
    }
    return out + (trust.empty() ? "" : "trust\n" + trust);
}

}  // namespace penstock::compile
