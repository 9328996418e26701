// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/part_makers.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "schema/part_name.hpp"
#include "schema/views.hpp"
#include "userspace/base/maglev.hpp"
#include "userspace/proxy/part_bytes.hpp"

namespace penstock::proxy {

namespace {

Result<Endpoint> endpoint_of(const fb::Address& address, std::uint16_t port) {
    if (address.family() != 4 && address.family() != 6) {
        return invalid_part("an address is neither IPv4 nor IPv6");
    }
    Endpoint endpoint;
    std::copy(address.bytes()->begin(), address.bytes()->end(), endpoint.address.bytes.begin());
    endpoint.address.family = address.family() == 4 ? Family::v4 : Family::v6;
    endpoint.port = port;
    return endpoint;
}

std::vector<std::uint32_t> maglev_of(const std::vector<BackendEndpoint>& endpoints) {
    std::vector<MaglevMember> members;
    for (const BackendEndpoint& endpoint : endpoints) {
        members.push_back({endpoint.address.text()});
    }
    return maglev_table(members);
}

Result<std::shared_ptr<const BackendSet>> make_backends(std::string_view key, std::span<const std::uint8_t> bytes, const PartSource& parts) {
    PST_TRY_ASSIGN(const fb::BackendSet* part, verified<fb::BackendSet>(bytes));
    auto set = std::make_shared<BackendSet>();
    set->key = key;
    set->id = part->id();
    set->protocol = part->protocol();
    set->name = fb::name_of(*part->object()) + ":" + std::to_string(part->port());
    for (const fb::BackendEndpoint* endpoint : *part->endpoints()) {
        PST_TRY_ASSIGN(const Endpoint address, endpoint_of(*endpoint->address(), endpoint->port()));
        if (endpoint->state() == fb::EndpointState::Ready) {
            set->ready.push_back({address, endpoint->id(), endpoint_digest(address)});
        }
    }
    if (part->health() != nullptr) {
        part->health()->UnPackTo(&set->health);
    }
    set->connections_max = part->connections_max();
    set->proxy_protocol = part->proxy_protocol();
    set->balance = part->balance();
    if (set->balance == fb::Balance::Consistent && !set->ready.empty()) {
        set->hash = std::make_unique<const HashChoice>(HashChoice{std::string(fb::text(part->hash_header())), maglev_of(set->ready)});
    }
    if (part->tls() != nullptr) {
        PST_TRY_ASSIGN(set->tls, make_backend_tls(*part->tls(), set->protocol == fb::BackendProtocol::Http2, set->name, parts));
    }
    return std::shared_ptr<const BackendSet>(std::move(set));
}

const fb::Listener* user_of(std::string_view key, const MakeContext& context) {
    const auto user = context.users.find(key);
    return user != context.users.end() ? user->second : nullptr;
}

Result<std::shared_ptr<const void>> make_host(std::span<const std::uint8_t> bytes) {
    PST_TRY(verified<fb::HostRoutes>(bytes));
    auto host = std::make_shared<Host>();
    PST_TRY_ASSIGN(host->table, match::RouteTable::build(bytes));
    return std::shared_ptr<const void>(std::move(host));
}

Result<std::shared_ptr<const void>> make_certificates_of(std::string_view key, std::span<const std::uint8_t> bytes, const MakeContext& context) {
    PST_TRY_ASSIGN(const fb::CertificateSet* part, verified<fb::CertificateSet>(bytes));
    const fb::Listener* user = user_of(key, context);
    if (user == nullptr) {
        return std::shared_ptr<const void>();  // shown to backends, by those who refer to it
    }
    PST_TRY_ASSIGN(auto set, make_certificates(*part, *user, context.parts, context.tickets));
    return std::shared_ptr<const void>(std::move(set));
}

}  // namespace

std::string surroundings(const std::string& path, const MakeContext& context) {
    const auto place = fb::part_place(path);
    if (!place) {
        return {};  // it will not be made
    }
    const auto [kind, key] = *place;
    if (kind == fb::PartKind::Certificates) {
        const fb::Listener* user = user_of(key, context);
        return user != nullptr ? certificates_surroundings(*user, context.parts) : std::string();
    }
    if (kind == fb::PartKind::Backends) {
        const auto bytes = context.parts.bytes(kind, key);
        const auto set = bytes.ok() ? verified<fb::BackendSet>(*bytes) : Result<const fb::BackendSet*>(nullptr);
        if (set.ok() && *set != nullptr && (*set)->tls() != nullptr) {
            return backend_tls_surroundings(*(*set)->tls(), context.parts);
        }
    }
    return {};
}

Result<std::shared_ptr<const void>> make_object(const std::string& path, const MakeContext& context) {
    const auto place = fb::part_place(path);
    if (!place) {
        return invalid_part("a part of unknown kind");
    }
    const auto [kind, key] = *place;
    PST_TRY_ASSIGN(const auto bytes, context.parts.bytes(kind, key));
    switch (kind) {
        case fb::PartKind::Host: return make_host(bytes);
        case fb::PartKind::Certificates: return make_certificates_of(key, bytes, context);
        case fb::PartKind::Backends: {
            PST_TRY_ASSIGN(auto set, make_backends(key, bytes, context.parts));
            return std::shared_ptr<const void>(std::move(set));
        }
        case fb::PartKind::Trust: {
            PST_TRY(verified<fb::TrustBundle>(bytes));
            return std::shared_ptr<const void>();  // used where it is referred to
        }
    }
    return invalid_part("a part of unknown kind");
}

}  // namespace penstock::proxy
