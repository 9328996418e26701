// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tables.hpp"

#include <algorithm>

#include "schema/part_name.hpp"
#include "userspace/proxy/balancer.hpp"

namespace penstock::proxy {

namespace {

Error invalid(std::string what) { return Error{.code = Errc::invalid, .what = std::move(what)}; }

template <class Table>
Result<const Table*> verified(std::span<const std::uint8_t> bytes) {
    flatbuffers::Verifier verifier(bytes.data(), bytes.size(), 64, 10'000'000);
    if (bytes.size() > kPartBytesMax || !verifier.VerifyBuffer<Table>(nullptr)) {
        return invalid("its bytes are no valid FlatBuffer");
    }
    return flatbuffers::GetRoot<Table>(bytes.data());
}

Result<Endpoint> endpoint_of(const fb::Address& address, std::uint16_t port) {
    if (address.family() != 4 && address.family() != 6) {
        return invalid("an address is neither IPv4 nor IPv6");
    }
    Endpoint endpoint;
    std::copy(address.bytes()->begin(), address.bytes()->end(), endpoint.address.bytes.begin());
    endpoint.address.family = address.family() == 4 ? Family::v4 : Family::v6;
    endpoint.port = port;
    return endpoint;
}

std::string name_of(const fb::ObjectRef& object) {
    return object.kind()->str() + " " + object.namespace_()->str() + "/" + object.name()->str();
}

Result<std::shared_ptr<const BackendSet>> make_backends(std::span<const std::uint8_t> bytes) {
    PST_TRY_ASSIGN(const fb::BackendSet* part, verified<fb::BackendSet>(bytes));
    auto set = std::make_shared<BackendSet>();
    set->id = part->id();
    set->protocol = part->protocol();
    set->name = name_of(*part->object()) + ":" + std::to_string(part->port());
    for (const fb::BackendEndpoint* endpoint : *part->endpoints()) {
        PST_TRY_ASSIGN(const Endpoint address, endpoint_of(*endpoint->address(), endpoint->port()));
        if (endpoint->state() == fb::EndpointState::Ready) {
            set->ready.push_back({address, endpoint->id()});
        }
    }
    return std::shared_ptr<const BackendSet>(std::move(set));
}

Result<std::shared_ptr<const tls::CertificateSet>> make_certificates(std::span<const std::uint8_t> bytes, const Storage& storage, const std::vector<std::string>& alpn) {
    PST_TRY_ASSIGN(const fb::CertificateSet* part, verified<fb::CertificateSet>(bytes));
    std::vector<tls::CertificateInput> inputs;
    for (const fb::Certificate* certificate : *part->certificates()) {
        PST_TRY_ASSIGN(const auto key, storage.key(certificate->key_id()->str()));
        tls::CertificateInput input;
        input.chain_pem = certificate->chain_pem()->string_view();
        input.key_pem = {reinterpret_cast<const char*>(key.data()), key.size()};
        input.object = name_of(*certificate->object());
        for (const auto* name : *certificate->names()) {
            input.names.push_back(name->str());
        }
        inputs.push_back(std::move(input));
    }
    return tls::CertificateSet::build(inputs, {.alpn = alpn});
}

// One build: parts by key, made anew, kept from the previous tables, or their last good version.
class Builder {
public:
    Builder(const fb::Root& root, const Storage& storage, const Tables* previous) : root_(root), storage_(storage), previous_(previous) {}

    Result<Built> run() {
        auto tables = std::make_shared<Tables>();
        tables_ = tables.get();
        tables_->generation = root_.generation();
        if (root_.limits() != nullptr) {
            root_.limits()->UnPackTo(&tables_->limits);
        }
        make_parts();
        for (const fb::Listener* listener : *root_.listeners()) {
            add_listener(*listener);
        }
        for (const fb::Port* port : *root_.ports()) {
            PST_TRY(add_port(*port));
        }
        return Built{std::move(tables), std::move(failed_)};
    }

private:
    void make_parts() {
        std::unordered_map<std::string, std::vector<std::string>> alpn;  // of certificates, by the listener that uses them
        for (const fb::Listener* listener : *root_.listeners()) {
            if (listener->certificates() != nullptr && listener->alpn() != nullptr) {
                auto& list = alpn[listener->certificates()->str()];
                list.clear();
                for (const auto* protocol : *listener->alpn()) {
                    list.push_back(protocol->str());
                }
            }
        }
        for (const fb::PartRef* ref : *root_.parts()) {
            const std::string key = fb::part_path(ref->kind(), ref->key()->string_view());
            const auto* const before = previous_ != nullptr ? find(previous_->made, key) : nullptr;
            if (before != nullptr && before->digest == ref->digest()->string_view()) {
                tables_->made[key] = *before;
                continue;
            }
            const std::string name = key + "/" + ref->digest()->str();
            auto object = make(ref->kind(), name, alpn[ref->key()->str()]);
            if (object.ok()) {
                tables_->made[key] = {ref->digest()->str(), *object};
                continue;
            }
            failed_.push_back({name, object.error().message()});
            if (before != nullptr) {
                tables_->made[key] = {"", before->object};  // its digest is not this one's: tried again next time
            }
        }
    }

    Result<std::shared_ptr<const void>> make(fb::PartKind kind, const std::string& name, const std::vector<std::string>& alpn) {
        PST_TRY_ASSIGN(const auto bytes, storage_.part(name));
        switch (kind) {
            case fb::PartKind::Host: {
                PST_TRY_ASSIGN(const fb::HostRoutes* part, verified<fb::HostRoutes>(bytes));
                PST_TRY_ASSIGN(auto table, match::RouteTable::build(*part));
                return std::shared_ptr<const void>(std::move(table));
            }
            case fb::PartKind::Certificates: {
                PST_TRY_ASSIGN(auto set, make_certificates(bytes, storage_, alpn));
                return std::shared_ptr<const void>(std::move(set));
            }
            case fb::PartKind::Trust: break;
            case fb::PartKind::Backends: {
                PST_TRY_ASSIGN(auto set, make_backends(bytes));
                return std::shared_ptr<const void>(std::move(set));
            }
        }
        return invalid("a part of unknown kind");
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
            place->second = bind(part<match::RouteTable>(fb::PartKind::Host, key));
        }
        return place->second;
    }

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
                rule.backends.push_back({backend->backends.empty() ? nullptr : part<BackendSet>(fb::PartKind::Backends, backend->backends), backend->filters.get()});
                weights.push_back(backend->weight);
            }
            rule.cycle = weighted_cycle(weights);
            host->rules.push_back(std::move(rule));
        }
        host->table = std::move(table);
        return host;
    }

    void add_listener(const fb::Listener& in) {
        auto listener = std::make_unique<Listener>();
        listener->name = in.name()->str();
        listener->id = in.id();
        listener->mode = in.mode();
        listener->hostname = in.hostname() != nullptr ? in.hostname()->str() : "";
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

    Status add_port(const fb::Port& in) {
        Port port;
        port.socket = in.socket()->str();
        port.mode = in.mode();
        port.number = in.port();
        for (const std::uint32_t index : *in.listeners()) {
            if (index >= tables_->listeners.size()) {
                return invalid("port " + port.socket + " names listener " + std::to_string(index) + ", which does not exist");
            }
            const Listener* listener = tables_->listeners[index].get();
            port.listeners.add(listener->hostname, listener);
        }
        tables_->ports.emplace(port.socket, std::move(port));
        return success();
    }

    const fb::Root& root_;
    const Storage& storage_;
    const Tables* previous_;
    Tables* tables_ = nullptr;
    std::unordered_map<std::string, std::shared_ptr<const Host>> hosts_;
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
