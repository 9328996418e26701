// SPDX-License-Identifier: Apache-2.0
// The snapshot as the worker will read it: whole, and in the order that it relies on.
#include <map>
#include <set>

#include "ctl/compile/golden/invariants.hpp"
#include "ctl/compile/parts.hpp"
#include "schema/part_name.hpp"

namespace penstock::compile::golden {
namespace {

using PartKey = std::pair<fb::PartKind, std::string>;

class Checker {
public:
    explicit Checker(const Snapshot& snapshot) : snapshot_(snapshot) {}

    Faults run() {
        if (!verified<fb::Root>(*snapshot_.root)) {
            return {"the root is no valid FlatBuffer"};
        }
        const fb::Root& root = *fb::GetRoot(snapshot_.root->data());
        want(root.abi() == fb::kAbi, "root", "does not say its abi");
        index(root);
        for (const fb::Listener* listener : *root.listeners()) {
            check(*listener);
        }
        for (const fb::Port* port : *root.ports()) {
            for (const std::uint32_t at : *port->listeners()) {
                want(at < root.listeners()->size(), port->socket()->str(), "names a listener that there is not");
            }
            want(sockets_.insert(port->socket()->str()).second, port->socket()->str(), "stands twice");
        }
        if (root.tracing() != nullptr) {
            check_backends(root.tracing()->backends());
        }
        for (const auto* ids : {root.ticket_keys(), root.session_keys()}) {
            for (std::size_t i = 0; ids != nullptr && i < ids->size(); ++i) {
                const std::string id = ids->Get(static_cast<flatbuffers::uoffset_t>(i))->str();
                want(snapshot_.keys.contains(id), id, "is no key");
            }
        }
        for (const auto& [key, bytes] : parts_) {
            want(used_.contains(key), key.second, "is a part that nothing refers to");
        }
        return std::move(faults_);
    }

private:
    static std::string_view text_of(const flatbuffers::Vector<std::uint8_t>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

    template <class Table>
    static bool verified(const std::string& bytes) {
        flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
        return verifier.VerifyBuffer<Table>(nullptr);
    }

    void want(bool holds, const std::string& place, const std::string& fault) {
        if (!holds) {
            faults_.push_back(place + ": " + fault);
        }
    }

    void index(const fb::Root& root) {
        for (const auto& [path, part] : snapshot_.parts) {
            want(part->digest == digest_of(*part->bytes), path, "is not known by its content");
        }
        std::string before;
        for (const fb::ListRef* ref : *root.lists()) {
            const List* list = list_named(snapshot_, fb::list_name(ref->key()->string_view(), ref->digest()->string_view()));
            const std::string bytes = list != nullptr ? list_bytes(*list) : "";
            want(verified<fb::PartList>(bytes), ref->key()->str(), "is named and not there, or no list");
            if (list != nullptr) {
                index(*flatbuffers::GetRoot<fb::PartList>(bytes.data()), ref->key()->str(), before);
            }
        }
        want(root.lists()->size() == snapshot_.lists.size(), "root", "does not name every list");
        want(parts_.size() == snapshot_.parts.size(), "root", "does not list every part");
    }

    void index(const fb::PartList& list, const std::string& key, std::string& before) {
        want(list.parts()->size() != 0, key, "is an empty list");
        for (const fb::Part* ref : *list.parts()) {
            const std::string path = fb::part_path(ref->kind(), ref->key()->string_view());
            want(ref != list.parts()->Get(0) || path == key, key, "is not the first part of its list");
            want(before < path, path, "is not listed in order");
            before = path;
            const PartPtr* found = snapshot_.parts.get(path);
            want(found != nullptr && (*found)->digest == *ref->digest() && *(*found)->bytes == text_of(*ref->bytes()), path, "is listed and not there");
            want(reinterpret_cast<std::uintptr_t>(ref->bytes()->data()) % alignof(std::uint64_t) == 0, path, "does not begin where its numbers are aligned");
            if (found != nullptr) {
                parts_.emplace(PartKey(ref->kind(), ref->key()->str()), (*found)->bytes.get());
            }
        }
    }

    template <class Table>
    const Table* part(fb::PartKind kind, const std::string& key) {
        const auto found = parts_.find({kind, key});
        used_.insert({kind, key});
        if (found == parts_.end() || !verified<Table>(*found->second)) {
            want(false, key, "is referred to and not there, or no valid FlatBuffer");
            return nullptr;
        }
        return flatbuffers::GetRoot<Table>(found->second->data());
    }

    void check(const fb::Listener& listener) {
        const std::string name = listener.name()->str();
        want(names_.insert(name).second, name, "stands twice");
        if (listener.tls() != nullptr && listener.tls()->client_trust() != nullptr) {
            part<fb::TrustBundle>(fb::PartKind::Trust, listener.tls()->client_trust()->str());
        }
        if (listener.certificates() != nullptr) {
            if (const auto* set = part<fb::CertificateSet>(fb::PartKind::Certificates, listener.certificates()->str())) {
                check(*set);
            }
        }
        const std::string prefix = name + "/";
        for (auto at = parts_.lower_bound({fb::PartKind::Host, prefix}); at != parts_.end() && at->first.first == fb::PartKind::Host && at->first.second.starts_with(prefix); ++at) {
            const std::string key = at->first.second;
            if (const auto* routes = part<fb::HostRoutes>(fb::PartKind::Host, key)) {
                want(fb::host_place(key).hostname == routes->hostname()->string_view(), key, "is another host");
                check(*routes, key);
            }
        }
    }

    void check(const fb::CertificateSet& set) {
        for (const fb::Certificate* certificate : *set.certificates()) {
            want(snapshot_.keys.contains(certificate->key_id()->str()), certificate->key_id()->str(), "has no key");
        }
    }

    void check(const fb::HostRoutes& routes, const std::string& name) {
        for (const fb::Match* match : *routes.matches()) {
            want(match->rule() < routes.rules()->size(), name, "a match leads to no rule");
        }
        for (const fb::Rule* rule : *routes.rules()) {
            for (std::size_t i = 0; rule->backends() != nullptr && i < rule->backends()->size(); ++i) {
                check_backends(rule->backends()->Get(static_cast<flatbuffers::uoffset_t>(i))->backends());
            }
            const auto* mirrors = rule->filters() != nullptr ? rule->filters()->mirrors() : nullptr;
            for (std::size_t i = 0; mirrors != nullptr && i < mirrors->size(); ++i) {
                check_backends(mirrors->Get(static_cast<flatbuffers::uoffset_t>(i))->backends());
            }
        }
    }

    void check_backends(const flatbuffers::String* key) {
        const auto* set = key != nullptr ? part<fb::BackendSet>(fb::PartKind::Backends, key->str()) : nullptr;
        if (set == nullptr || set->tls() == nullptr) {
            return;
        }
        part<fb::TrustBundle>(fb::PartKind::Trust, set->tls()->trust()->str());
        if (set->tls()->client_certificate() != nullptr) {
            if (const auto* certificates = part<fb::CertificateSet>(fb::PartKind::Certificates, set->tls()->client_certificate()->str())) {
                check(*certificates);
            }
        }
    }

    const Snapshot& snapshot_;
    Faults faults_;
    std::map<PartKey, const std::string*> parts_;
    std::set<PartKey> used_;
    std::set<std::string> names_;
    std::set<std::string> sockets_;
};

}  // namespace

Faults faults_of(const Snapshot& snapshot) { return Checker(snapshot).run(); }

}  // namespace penstock::compile::golden
