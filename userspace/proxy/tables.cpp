// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tables.hpp"

#include <algorithm>
#include <map>

#include "schema/part_name.hpp"
#include "userspace/base/maglev.hpp"
#include "userspace/proxy/balancer.hpp"
#include "userspace/proxy/part_bytes.hpp"
#include "userspace/proxy/tls_parts.hpp"

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

Result<std::shared_ptr<const BackendSet>> make_backends(std::span<const std::uint8_t> bytes, const PartSource& parts) {
    PST_TRY_ASSIGN(const fb::BackendSet* part, verified<fb::BackendSet>(bytes));
    auto set = std::make_shared<BackendSet>();
    set->id = part->id();
    set->protocol = part->protocol();
    set->name = name_of(*part->object()) + ":" + std::to_string(part->port());
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
    set->hash_header = part->hash_header() != nullptr ? part->hash_header()->str() : "";
    if (set->balance == fb::Balance::Consistent) {
        set->maglev = maglev_of(set->ready);
    }
    if (part->tls() != nullptr) {
        PST_TRY_ASSIGN(set->tls, make_backend_tls(*part->tls(), set->protocol == fb::BackendProtocol::Http2, set->name, parts));
    }
    return std::shared_ptr<const BackendSet>(std::move(set));
}

// One build: parts by key, made anew, kept from the previous tables, or their last good version.
class Builder {
public:
    Builder(const fb::Root& root, const Storage& storage, const Tables* previous) : root_(root), storage_(storage), parts_(root, storage), previous_(previous) {}

    Result<Built> run() {
        auto tables = std::make_shared<Tables>();
        tables_ = tables.get();
        tables_->generation = root_.generation();
        if (root_.limits() != nullptr) {
            root_.limits()->UnPackTo(&tables_->limits);
        }
        if (const Status keys = take_ticket_keys(); !keys.ok()) {
            failed_.push_back({"ticket keys", keys.error().message()});
        }
        if (const Status keys = take_session_keys(); !keys.ok()) {
            failed_.push_back({"session keys", keys.error().message()});
        }
        if (root_.access_log() != nullptr) {
            root_.access_log()->UnPackTo(&tables_->access_log.emplace());
        }
        make_parts();
        add_tracing();
        list_counted();
        note_places();
        for (const fb::Listener* listener : *root_.listeners()) {
            add_listener(*listener);
        }
        for (const fb::Port* port : *root_.ports()) {
            PST_TRY(add_port(*port));
        }
        return Built{std::move(tables), std::move(failed_)};
    }

private:
    // Everything that a part is made of: it is the same object as long as that is the same.
    std::string makings(const fb::PartRef& ref) const {
        std::string all = ref.digest()->str();
        if (ref.kind() == fb::PartKind::Certificates) {
            if (const auto user = users_.find(ref.key()->string_view()); user != users_.end()) {
                all += " " + certificates_surroundings(*user->second, parts_);
            }
        } else if (ref.kind() == fb::PartKind::Backends) {
            const auto bytes = parts_.bytes(ref.kind(), ref.key()->string_view());
            const auto set = bytes.ok() ? verified<fb::BackendSet>(*bytes) : Result<const fb::BackendSet*>(nullptr);
            if (set.ok() && *set != nullptr && (*set)->tls() != nullptr) {
                all += " " + backend_tls_surroundings(*(*set)->tls(), parts_);
            }
        }
        return all;
    }

    void make_parts() {
        tables_->made.reserve(2 * root_.parts()->size());
        for (const fb::Listener* listener : *root_.listeners()) {
            if (listener->certificates() != nullptr) {
                users_[listener->certificates()->string_view()] = listener;
            }
        }
        for (const fb::PartRef* ref : *root_.parts()) {
            const std::string key = fb::part_path(ref->kind(), ref->key()->string_view());
            const auto* const before = previous_ != nullptr ? find(previous_->made, key) : nullptr;
            // What was made of its own bytes alone need not be opened to be known again.
            if (before != nullptr && before->digest == ref->digest()->string_view()) {
                tables_->made.emplace(key, *before);
                continue;
            }
            const std::string made_of = makings(*ref);
            if (before != nullptr && before->digest == made_of) {
                tables_->made.emplace(key, *before);
                continue;
            }
            const std::string name = key + "/" + ref->digest()->str();
            auto object = make(*ref, name);
            if (object.ok()) {
                tables_->made[key] = {made_of, *object};
                continue;
            }
            failed_.push_back({name, object.error().message()});
            if (before != nullptr) {
                tables_->made[key] = {"", before->object};  // its digest is not this one's: tried again next time
            }
        }
    }

    Result<std::shared_ptr<const void>> make(const fb::PartRef& ref, const std::string& name) {
        PST_TRY_ASSIGN(const auto bytes, storage_.part(name));
        switch (ref.kind()) {
            case fb::PartKind::Host: {
                PST_TRY_ASSIGN(const fb::HostRoutes* part, verified<fb::HostRoutes>(bytes));
                PST_TRY_ASSIGN(auto table, match::RouteTable::build(*part));
                return std::shared_ptr<const void>(std::move(table));
            }
            case fb::PartKind::Certificates: {
                PST_TRY_ASSIGN(const fb::CertificateSet* part, verified<fb::CertificateSet>(bytes));
                const auto user = users_.find(ref.key()->string_view());
                if (user == users_.end()) {
                    return std::shared_ptr<const void>();  // shown to backends, by those who refer to it
                }
                PST_TRY_ASSIGN(auto set, make_certificates(*part, *user->second, parts_, tables_->tickets));
                return std::shared_ptr<const void>(std::move(set));
            }
            case fb::PartKind::Backends: {
                PST_TRY_ASSIGN(auto set, make_backends(bytes, parts_));
                return std::shared_ptr<const void>(std::move(set));
            }
            case fb::PartKind::Trust: {
                PST_TRY(verified<fb::TrustBundle>(bytes));
                return std::shared_ptr<const void>();  // used where it is referred to
            }
        }
        return invalid_part("a part of unknown kind");
    }

    void note_places() {
        for (const fb::PartRef* ref : *root_.parts()) {
            const auto set = ref->kind() == fb::PartKind::Backends ? part<BackendSet>(ref->kind(), ref->key()->string_view()) : nullptr;
            tables_->sends_proxy_headers |= set != nullptr && set->proxy_protocol != fb::ProxyProtocol::None;
            for (std::size_t i = 0; set != nullptr && i < set->ready.size(); ++i) {
                tables_->places.insert({set->ready[i].address, set->tls});
            }
        }
    }

    // One object for the process's life: a rotation of keys builds no context anew.
    Status take_ticket_keys() {
        PST_TRY_ASSIGN(auto keys, ticket_keys(root_, storage_));
        tables_->tickets = previous_ != nullptr && previous_->tickets != nullptr ? previous_->tickets : std::make_shared<tls::TicketKeys>();
        if (!keys.empty()) {
            tables_->tickets->set(std::move(keys));
        }
        return success();
    }

    // What cannot be used leaves those before.
    Status take_session_keys() {
        tables_->seals = previous_ != nullptr ? previous_->seals : seals_of_this_process();
        Seals seals;
        for (std::size_t i = 0; root_.session_keys() != nullptr && i < root_.session_keys()->size(); ++i) {
            PST_TRY_ASSIGN(const auto bytes, storage_.key(root_.session_keys()->Get(static_cast<flatbuffers::uoffset_t>(i))->str()));
            if (bytes.size() < tls::Seal::kKeyBytes) {
                return invalid_part("a session key has less than 32 bytes");
            }
            seals.push_back(token_seal({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
        }
        if (!seals.empty()) {
            tables_->seals = std::make_shared<const Seals>(std::move(seals));
        }
        return success();
    }

    template <class Map>
    static const typename Map::mapped_type* find(const Map& map, const std::string& key) {
        const auto found = map.find(key);
        return found == map.end() ? nullptr : &found->second;
    }

    template <class Object>
    std::shared_ptr<const Object> part(fb::PartKind kind, std::string_view key) const {
        const auto* made = find(tables_->made, fb::part_path(kind, key));
        return made == nullptr ? nullptr : std::static_pointer_cast<const Object>(made->object);
    }

    std::shared_ptr<const Host> host(const std::string& key) {
        auto [place, added] = hosts_.try_emplace(key);
        if (added) {
            place->second = bound(key, part<match::RouteTable>(fb::PartKind::Host, key));
        }
        return place->second;
    }

    // As the tables before have it, if it would be bound to the same.
    std::shared_ptr<const Host> bound(const std::string& key, std::shared_ptr<const match::RouteTable> table) {
        const std::string name = "bound/" + key;
        const auto* const made = previous_ != nullptr ? find(previous_->made, name) : nullptr;
        auto host = made != nullptr ? std::static_pointer_cast<const Host>(made->object) : nullptr;
        if (host == nullptr || host->table != table || !binds_the_same(*host)) {
            host = bind(std::move(table));
        }
        if (host != nullptr) {
            tables_->made.emplace(name, Tables::Made{"", host});
        }
        return host;
    }

    bool binds_the_same(const Host& host) const {
        const bool same_seals = tables_->seals == previous_->seals;
        return std::all_of(host.rules.begin(), host.rules.end(), [&](const Rule& rule) {
            for (std::size_t i = 0; i < rule.backends.size(); ++i) {
                if (rule.backends[i].set != set_of(rule.spec->backends[i]->backends)) {
                    return false;
                }
            }
            return (rule.persistence == nullptr || same_seals) && same_mirrors(rule);
        });
    }

    bool same_mirrors(const Rule& rule) const {
        Rule now;
        bind_mirrors(*rule.spec, now);
        return std::equal(now.mirrors.begin(), now.mirrors.end(), rule.mirrors.begin(), rule.mirrors.end(),
                          [](const RuleMirror& one, const RuleMirror& other) { return one.set == other.set; });
    }

    std::shared_ptr<const BackendSet> set_of(const std::string& key) const { return key.empty() ? nullptr : part<BackendSet>(fb::PartKind::Backends, key); }

    std::shared_ptr<const Host> bind(std::shared_ptr<const match::RouteTable> table) {
        if (table == nullptr) {
            return nullptr;
        }
        auto host = std::make_shared<Host>();
        for (const auto& spec : table->rules()) {
            Rule rule;
            rule.spec = spec.get();
            std::vector<std::uint32_t> weights;
            for (const auto& backend : spec->backends) {
                rule.backends.push_back({set_of(backend->backends), backend->filters.get()});
                weights.push_back(backend->weight);
            }
            rule.cycle = weighted_cycle(weights);
            if (spec->filters != nullptr && spec->filters->cors != nullptr) {
                rule.cors = std::make_unique<const Cors>(*spec->filters->cors);
            }
            bind_mirrors(*spec, rule);
            if (spec->persistence != nullptr) {
                rule.persistence = std::make_unique<const Persistence>(*spec->persistence, tables_->seals, session_scope(*spec));
            }
            host->rules.push_back(std::move(rule));
        }
        host->table = std::move(table);
        return host;
    }

    void bind_mirrors(const fb::RuleT& spec, Rule& rule) const {
        for (std::size_t i = 0; spec.filters != nullptr && i < spec.filters->mirrors.size(); ++i) {
            const fb::MirrorT& mirror = *spec.filters->mirrors[i];
            auto set = part<BackendSet>(fb::PartKind::Backends, mirror.backends);
            if (set != nullptr && mirror.denominator != 0) {
                rule.mirrors.push_back({std::move(set), mirror.numerator, mirror.denominator});
            }
        }
    }

    void list_counted() {
        std::map<std::string_view, std::vector<std::uint32_t>> services;
        auto& rules = tables_->rules;
        for (const fb::PartRef* ref : *root_.parts()) {
            if (ref->kind() == fb::PartKind::Backends) {
                if (const auto set = part<BackendSet>(ref->kind(), ref->key()->string_view())) {
                    services[set->name].push_back(set->id);
                }
            } else if (ref->kind() == fb::PartKind::Host) {
                if (const auto table = part<match::RouteTable>(ref->kind(), ref->key()->string_view())) {
                    std::transform(table->rules().begin(), table->rules().end(), std::back_inserter(rules), [](const auto& rule) { return rule.get(); });
                }
            }
        }
        for (auto& [name, sets] : services) {
            tables_->services.push_back({std::string(name), std::move(sets)});
        }
        const auto rank = [](const fb::RuleT* rule) { return rule->id - 1; };  // 0 comes last
        std::sort(rules.begin(), rules.end(), [&](const auto* one, const auto* other) { return rank(one) < rank(other); });
        rules.erase(std::unique(rules.begin(), rules.end(), [](const auto* one, const auto* other) { return one->id == other->id; }), rules.end());
    }

    // Without its backends nothing is traced: the part has failed, and was told.
    void add_tracing() {
        const fb::Tracing* in = root_.tracing();
        auto set = in == nullptr ? nullptr : part<BackendSet>(fb::PartKind::Backends, in->backends()->string_view());
        if (set != nullptr) {
            auto tracing = std::make_shared<Tracing>();
            tracing->set = std::move(set);
            tracing->path = in->path() != nullptr ? in->path()->str() : "/v1/traces";
            tracing->service_name = in->service_name() != nullptr ? in->service_name()->str() : "penstock";
            tracing->sample_per_million = in->sample_per_million();
            tables_->tracing = std::move(tracing);
        }
    }

    void add_listener(const fb::Listener& in) {
        auto listener = std::make_unique<Listener>();
        listener->name = in.name()->str();
        listener->id = in.id();
        listener->mode = in.mode();
        listener->hostname = in.hostname() != nullptr ? in.hostname()->str() : "";
        listener->limits = tables_->limits;
        if (in.limits() != nullptr) {
            in.limits()->UnPackTo(&listener->limits);
        }
        if (in.client_address() != nullptr) {
            listener->proxy_protocol = in.client_address()->proxy_protocol();
            listener->trusted_hops = in.client_address()->trusted_hops();
        }
        if (in.certificates() != nullptr) {
            listener->certificates = part<tls::CertificateSet>(fb::PartKind::Certificates, in.certificates()->string_view());
        }
        for (const fb::HostEntry* entry : *in.hosts()) {
            if (auto bound = host(entry->part()->str()); bound != nullptr) {
                listener->hosts.add(entry->hostname()->string_view(), std::move(bound));
            }
        }
        tables_->listeners.push_back(std::move(listener));
    }

    // The header comes before anything that tells listeners apart: what one of them wants, all get.
    static fb::ProxyProtocol either(fb::ProxyProtocol one, fb::ProxyProtocol other) {
        if (one == fb::ProxyProtocol::None || one == other) {
            return other;
        }
        return other == fb::ProxyProtocol::None ? one : fb::ProxyProtocol::Any;
    }

    Status add_port(const fb::Port& in) {
        Port port;
        port.socket = in.socket()->str();
        port.mode = in.mode();
        port.number = in.port();
        port.limits = tables_->limits;
        for (const std::uint32_t index : *in.listeners()) {
            if (index >= tables_->listeners.size()) {
                return invalid_part("port " + port.socket + " names listener " + std::to_string(index) + ", which does not exist");
            }
            const Listener* listener = tables_->listeners[index].get();
            if (index == *in.listeners()->begin()) {
                port.limits = listener->limits;
            }
            port.proxy_protocol = either(port.proxy_protocol, listener->proxy_protocol);
            port.listeners.add(listener->hostname, listener);
        }
        tables_->ports.emplace(port.socket, std::move(port));
        return success();
    }

    const fb::Root& root_;
    const Storage& storage_;
    const PartSource parts_;
    const Tables* previous_;
    Tables* tables_ = nullptr;
    std::unordered_map<std::string, std::shared_ptr<const Host>> hosts_;
    std::unordered_map<std::string_view, const fb::Listener*> users_;  // of certificate sets
    std::vector<FailedPart> failed_;
};

}  // namespace

Result<Built> build_tables(std::span<const std::uint8_t> root, const Storage& storage, const Tables* previous) {
    auto verified_root = verified<fb::Root>(root);
    if (!verified_root.ok()) {
        return std::move(verified_root).error().in("root");
    }
    if ((*verified_root)->abi() != kSnapshotAbi) {
        return Error{.code = Errc::unsupported, .what = "root of snapshot version " + std::to_string((*verified_root)->abi()) + ", we know " + std::to_string(kSnapshotAbi)};
    }
    return Builder(**verified_root, storage, previous).run();
}

}  // namespace penstock::proxy
