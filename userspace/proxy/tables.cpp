// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tables.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>

#include "schema/part_name.hpp"
#include "userspace/proxy/host_binding.hpp"
#include "userspace/proxy/part_bytes.hpp"
#include "userspace/proxy/part_lists.hpp"
#include "userspace/proxy/part_makers.hpp"

namespace penstock::proxy {

namespace {

// Paths of one kind, "kind/", in order.
template <class Visit>
void for_kind(const MadeParts& made, fb::PartKind kind, const Visit& visit) {
    const std::string prefix = fb::part_path(kind, "");
    for (auto at = made.lower_bound(prefix); at != made.end() && at->first.starts_with(prefix); ++at) {
        visit(at->first, at->second);
    }
}

bool is_kind(const std::string& path, fb::PartKind kind) {
    const auto place = fb::part_place(path);
    return place && place->kind == kind;
}

// Null: it has none.
template <class Object>
const Object* object_of(const Made& made) {
    return static_cast<const Object*>(made.object.get());
}

const match::RouteTable* table_of(const void* host) { return host != nullptr ? static_cast<const Host*>(host)->table.get() : nullptr; }

// Of the path of a host part.
fb::HostPlace host_of(std::string_view path) { return fb::host_place(path.substr(fb::part_path(fb::PartKind::Host, "").size())); }

// One build: the tables before, edited by what changed in the root.
class Builder {
public:
    Builder(const fb::Root& root, const Storage& storage, const Tables* previous) : root_(root), storage_(storage), reader_(storage), previous_(previous) {}

    Result<Built> run() {
        auto tables = std::make_shared<Tables>();
        tables_ = tables.get();
        if (previous_ != nullptr) {
            tables_->counted = previous_->counted;
            tables_->lists = previous_->lists;
            tables_->made = previous_->made;
            tables_->around = previous_->around;
        }
        PST_TRY_ASSIGN(edits_, follow_lists(root_, reader_, tables_->lists, tables_->made));
        take_settings();
        make_parts();
        bind_hosts();
        add_tracing();
        note_edited_hosts();
        for (const fb::Listener* listener : *root_.listeners()) {
            add_listener(*listener);
        }
        for (const fb::Port* port : *root_.ports()) {
            PST_TRY(add_port(*port));
        }
        return Built{std::move(tables), std::move(failed_)};
    }

private:
    void take_settings() {
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
    }

    void make_parts() {
        CertificateUsers users;
        for (const fb::Listener* listener : *root_.listeners()) {
            if (listener->certificates() != nullptr) {
                users[listener->certificates()->string_view()] = listener;
            }
        }
        const PartSource parts(*tables_, storage_, reader_);
        const MakeContext context{parts, users, tables_->tickets};
        const std::set<std::string> paths = to_make(users);
        note_hosts(paths);
        for (const std::string& path : paths) {
            make(path, context);
        }
        for (const auto& [path, made] : edits_.gone) {
            object_changed(path, made.object.get(), nullptr);
            tables_->around.erase(path);
        }
    }

    // What came, what failed before, and what may be made of something else now.
    std::set<std::string> to_make(const CertificateUsers& users) const {
        std::set<std::string> paths(edits_.come.begin(), edits_.come.end());
        const auto add = [&](const std::string& path) {
            if (tables_->made.contains(path)) {
                paths.insert(path);
            }
        };
        if (previous_ != nullptr) {
            std::for_each(previous_->open.begin(), previous_->open.end(), add);
        }
        for (const auto& [key, listener] : users) {
            add(fb::part_path(fb::PartKind::Certificates, key));
        }
        if (tls_changed()) {
            for_kind(tables_->made, fb::PartKind::Backends, [&](const std::string& path, const Made& made) {
                const auto* set = object_of<BackendSet>(made);
                if (set != nullptr && set->tls != nullptr) {
                    paths.insert(path);
                }
            });
        }
        return paths;
    }

    // Whether something that TLS to backends refers to came or went.
    bool tls_changed() const {
        const auto is_tls = [](const std::string& path) { return is_kind(path, fb::PartKind::Trust) || is_kind(path, fb::PartKind::Certificates); };
        return std::any_of(edits_.come.begin(), edits_.come.end(), is_tls) ||
               std::any_of(edits_.gone.begin(), edits_.gone.end(), [&](const auto& gone) { return is_tls(gone.first); });
    }

    void make(const std::string& path, const MakeContext& context) {
        Made part = *tables_->made.get(path);
        std::string around = surroundings(path, context);
        const std::string* around_before = tables_->around.get(path);
        const bool same_around = around_before != nullptr ? *around_before == around : around.empty();
        if (!part.failed && same_around) {
            return;
        }
        auto object = make_object(path, context);
        part.failed = !object.ok();
        if (around.empty()) {
            tables_->around.erase(path);
        } else if (!same_around) {
            tables_->around.set(path, std::move(around));
        }
        if (object.ok()) {
            const std::shared_ptr<const void> before = std::exchange(part.object, std::move(object).value());
            object_changed(path, before.get(), part.object.get());
        } else {
            failed_.push_back({path + "/" + fb::hex(part.digest), object.error().message()});
            tables_->open.insert(path);
        }
        tables_->made.set(path, std::move(part));
    }

    void object_changed(const std::string& path, const void* before, const void* now) {
        if (is_kind(path, fb::PartKind::Host)) {
            tables_->counted.replace(path, table_of(before), table_of(now));
        } else if (is_kind(path, fb::PartKind::Backends)) {
            if (before != nullptr) {
                tables_->counted.remove(*static_cast<const BackendSet*>(before));
                replaced_.insert(before);
            }
            if (now != nullptr) {
                tables_->counted.add(*static_cast<const BackendSet*>(now));
            }
        }
    }

    // Before anything is made: what is only of this build must not lie between what stays.
    void note_hosts(const std::set<std::string>& made) {
        const auto is_host = [](const std::string& path) { return is_kind(path, fb::PartKind::Host); };
        std::copy_if(made.begin(), made.end(), std::inserter(to_bind_, to_bind_.end()), is_host);
        for (const auto& [path, gone] : edits_.gone) {
            if (is_host(path)) {
                to_bind_.insert(path);
            }
        }
    }

    // Those whose routes changed, and those whose sets or sessions' seals may have.
    void bind_hosts() {
        const bool other_seals = previous_ != nullptr && previous_->seals != tables_->seals;
        if (other_seals || !replaced_.empty()) {
            for_kind(tables_->made, fb::PartKind::Host, [&](const std::string& path, const Made& made) {
                const Host* host = object_of<Host>(made);
                if (host != nullptr && ((other_seals && keeps_sessions(*host)) || uses(*host, [&](const BackendSet* set) { return replaced_.contains(set); }))) {
                    to_bind_.insert(path);
                }
            });
        }
        const FindSet find = [this](std::string_view key) { return part<BackendSet>(fb::PartKind::Backends, key); };
        for (const std::string& path : to_bind_) {
            const Made* there = tables_->made.get(path);
            if (there != nullptr && there->object != nullptr) {
                auto host = bind_host(*object_of<Host>(*there), find, tables_->seals);
                if (lacks_sets(*host)) {
                    tables_->open.insert(path);
                }
                tables_->made.set(path, Made{there->digest, there->failed, std::move(host)});
            }
        }
    }

    // One object for the process's life: a rotation of keys builds no context anew.
    Status take_ticket_keys() {
        tables_->tickets = previous_ != nullptr && previous_->tickets != nullptr ? previous_->tickets : std::make_shared<tls::TicketKeys>();
        PST_TRY_ASSIGN(auto keys, ticket_keys(root_, storage_));
        if (!keys.empty()) {
            tables_->tickets->set(std::move(keys));
        }
        return success();
    }

    // What cannot be used leaves those before.
    Status take_session_keys() {
        tables_->seals = previous_ != nullptr ? previous_->seals : seals_of_this_process();
        tables_->seal_keys = previous_ != nullptr ? previous_->seal_keys : std::vector<std::string>();
        std::vector<std::string> names;
        for (std::size_t i = 0; root_.session_keys() != nullptr && i < root_.session_keys()->size(); ++i) {
            names.push_back(root_.session_keys()->Get(static_cast<flatbuffers::uoffset_t>(i))->str());
        }
        if (names.empty() || names == tables_->seal_keys) {
            return success();
        }
        Seals seals;
        for (const std::string& name : names) {
            PST_TRY_ASSIGN(const auto bytes, storage_.key(name));
            if (bytes.size() < tls::Seal::kKeyBytes) {
                return invalid_part("a session key has less than 32 bytes");
            }
            seals.push_back(token_seal({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
        }
        tables_->seals = std::make_shared<const Seals>(std::move(seals));
        tables_->seal_keys = std::move(names);
        return success();
    }

    template <class Object>
    std::shared_ptr<const Object> part(fb::PartKind kind, std::string_view key) const {
        const Made* made = tables_->made.get(fb::part_path(kind, key));
        return made == nullptr ? nullptr : std::static_pointer_cast<const Object>(made->object);
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
        listener->via = in.via() != nullptr ? in.via()->str() : "";
        if (in.client_address() != nullptr) {
            listener->proxy_protocol = in.client_address()->proxy_protocol();
            listener->trusted_hops = in.client_address()->trusted_hops();
        }
        if (in.certificates() != nullptr) {
            listener->certificates = part<tls::CertificateSet>(fb::PartKind::Certificates, in.certificates()->string_view());
        }
        add_hosts(*listener);
        tables_->listeners.push_back(std::move(listener));
    }

    void note_edited_hosts() {
        for (const std::string& path : to_bind_) {
            edited_[std::string(host_of(path).listener)].push_back(path);
        }
        for (std::size_t i = 0; previous_ != nullptr && i < previous_->listeners.size(); ++i) {
            listeners_before_.emplace(previous_->listeners[i]->name, previous_->listeners[i].get());
        }
    }

    // Those of the listener before, with what changed; of one that is new all.
    void add_hosts(Listener& listener) const {
        const auto put = [&](const std::string& path, const Made* made) {
            const std::string_view hostname = host_of(path).hostname;
            listener.hosts.erase(hostname);
            if (made != nullptr && made->object != nullptr) {
                listener.hosts.add(hostname, std::static_pointer_cast<const Host>(made->object));
            }
        };
        if (const auto before = listeners_before_.find(listener.name); before != listeners_before_.end()) {
            listener.hosts = before->second->hosts;
            if (const auto edited = edited_.find(listener.name); edited != edited_.end()) {
                std::for_each(edited->second.begin(), edited->second.end(), [&](const std::string& path) { put(path, tables_->made.get(path)); });
            }
            return;
        }
        const std::string prefix = fb::part_path(fb::PartKind::Host, listener.name) + "/";
        for (auto at = tables_->made.lower_bound(prefix); at != tables_->made.end() && at->first.starts_with(prefix); ++at) {
            put(at->first, &at->second);
        }
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
            port.passes_through = port.passes_through || listener->mode == fb::ListenerMode::TlsPassthrough;
        }
        tables_->ports.emplace(port.socket, std::move(port));
        return success();
    }

    const fb::Root& root_;
    const Storage& storage_;
    ListReader reader_;
    const Tables* previous_;
    Tables* tables_ = nullptr;
    PartEdits edits_;
    std::unordered_set<const void*> replaced_;  // backend sets that are others now, or none
    std::set<std::string> to_bind_;             // paths of host parts that came, went, or lead to something else
    std::unordered_map<std::string, std::vector<std::string>> edited_;  // the same, by listener
    std::unordered_map<std::string_view, const Listener*> listeners_before_;
    std::vector<FailedPart> failed_;
};

}  // namespace

Result<Built> build_tables(std::span<const std::uint8_t> root, const Storage& storage, const Tables* previous) {
    auto verified_root = verified<fb::Root>(root);
    if (!verified_root.ok()) {
        return std::move(verified_root).error().in("root");
    }
    if ((*verified_root)->abi() != fb::kAbi) {
        return Error{.code = Errc::unsupported, .what = "root of snapshot version " + std::to_string((*verified_root)->abi()) + ", we know " + std::to_string(fb::kAbi)};
    }
    return Builder(**verified_root, storage, previous).run();
}

}  // namespace penstock::proxy
