// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dump_snapshot.hpp"

#include <cstring>
#include <map>
#include <utility>

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

std::string text(const flatbuffers::String* string) { return string != nullptr ? string->str() : std::string(); }

// The bytes of the parts by "kind/key".
using Index = std::map<std::pair<fb::PartKind, std::string>, const std::string*>;

Index index_of(const Snapshot& snapshot, const fb::Root& root) {
    static constexpr std::string_view kFolders[] = {"host/", "certificates/", "backends/"};
    Index index;
    for (const fb::PartRef* part : *root.parts()) {
        const std::string name =
            std::string(kFolders[static_cast<std::size_t>(part->kind())]) + part->key()->str() + "/" + part->digest()->str();
        const auto found = snapshot.parts.find(name);
        PST_ASSERT(found != snapshot.parts.end());
        index.emplace(std::pair(part->kind(), part->key()->str()), found->second.get());
    }
    return index;
}

template <class Table>
const Table& part_of(const Index& index, fb::PartKind kind, const std::string& key) {
    const auto found = index.find({kind, key});
    PST_ASSERT(found != index.end());
    return *flatbuffers::GetRoot<Table>(found->second->data());
}

void add_pairs(std::string& out, const char* word, const flatbuffers::Vector<flatbuffers::Offset<fb::NameValue>>* list) {
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const fb::NameValue* entry = list->Get(static_cast<flatbuffers::uoffset_t>(i));
        out += std::string(" ") + word + " " + entry->name()->str() + "=" + entry->value()->str();
    }
}

void add_edit(std::string& out, const char* which, const fb::HeaderEdit* edit) {
    if (edit == nullptr) {
        return;
    }
    out += std::string(" ") + which + "(";
    std::string inner;
    add_pairs(inner, "set", edit->set());
    add_pairs(inner, "add", edit->add());
    for (std::size_t i = 0; edit->remove() != nullptr && i < edit->remove()->size(); ++i) {
        inner += " remove " + edit->remove()->Get(static_cast<flatbuffers::uoffset_t>(i))->str();
    }
    out += inner.substr(inner.empty() ? 0 : 1) + ")";
}

std::string path_edit(fb::PathEdit edit, const flatbuffers::String* path) {
    if (edit == fb::PathEdit::None) {
        return {};
    }
    return std::string(edit == fb::PathEdit::ReplaceFull ? " path=" : " prefix=") + text(path);
}

void add_filters(std::string& out, const fb::Filters* filters) {
    if (filters == nullptr) {
        return;
    }
    add_edit(out, "request", filters->request_headers());
    add_edit(out, "response", filters->response_headers());
    if (const fb::Redirect* redirect = filters->redirect()) {
        out += " redirect(" + std::to_string(redirect->status());
        out += redirect->scheme() != nullptr ? " scheme=" + text(redirect->scheme()) : "";
        out += redirect->hostname() != nullptr ? " host=" + text(redirect->hostname()) : "";
        out += redirect->port() != 0 ? " port=" + std::to_string(redirect->port()) : "";
        out += path_edit(redirect->path_edit(), redirect->path()) + ")";
    }
    if (const fb::Rewrite* rewrite = filters->rewrite()) {
        out += " rewrite(" + (rewrite->hostname() != nullptr ? "host=" + text(rewrite->hostname()) : std::string("-"));
        out += path_edit(rewrite->path_edit(), rewrite->path()) + ")";
    }
}

std::string rule_text(const fb::Rule& rule) {
    std::string out = rule.object()->kind()->str() + " " + rule.object()->namespace_()->str() + "/" + rule.object()->name()->str() + "#" +
                      std::to_string(rule.index());
    add_filters(out, rule.filters());
    out += rule.request_ms() != 0 ? " request_ms=" + std::to_string(rule.request_ms()) : "";
    out += rule.backend_request_ms() != 0 ? " backend_request_ms=" + std::to_string(rule.backend_request_ms()) : "";
    for (std::size_t i = 0; rule.backends() != nullptr && i < rule.backends()->size(); ++i) {
        const fb::WeightedBackend* backend = rule.backends()->Get(static_cast<flatbuffers::uoffset_t>(i));
        out += " " + (backend->backends() != nullptr ? text(backend->backends()) : std::string("unresolved")) + "*" +
               std::to_string(backend->weight());
        add_filters(out, backend->filters());
    }
    return out;
}

void add_named(std::string& out, char sigil, const flatbuffers::Vector<flatbuffers::Offset<fb::NamedMatch>>* list) {
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        const fb::NamedMatch* match = list->Get(static_cast<flatbuffers::uoffset_t>(i));
        out += std::string(" ") + sigil + match->name()->str() + (match->match() == fb::ValueMatch::Regex ? "~" : "=") +
               match->value()->str();
    }
}

std::string match_text(const fb::Match& match) {
    static constexpr const char* kPaths[] = {"prefix ", "exact ", "regex "};
    std::string out = kPaths[static_cast<std::size_t>(match.path_match())] + match.path()->str();
    out += match.method() != nullptr ? " " + text(match.method()) : "";
    add_named(out, '@', match.headers());
    add_named(out, '?', match.query());
    return out;
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

void add_listener(std::string& out, const Index& index, const fb::Listener& listener) {
    out += "  " + listener.name()->str() + " " + fb::EnumNameListenerMode(listener.mode());
    out += listener.hostname() != nullptr ? " host=" + text(listener.hostname()) : "";
    if (listener.certificates() != nullptr) {
        const auto& set = part_of<fb::CertificateSet>(index, fb::PartKind::Certificates, listener.certificates()->str());
        for (const fb::Certificate* certificate : *set.certificates()) {
            out += " certificate=" + certificate->object()->namespace_()->str() + "/" + certificate->object()->name()->str();
        }
    }
    out += "\n";
    for (const fb::HostEntry* entry : *listener.hosts()) {
        add_host(out, part_of<fb::HostRoutes>(index, fb::PartKind::Host, entry->part()->str()));
    }
}

}  // namespace

std::string dump(const Snapshot& snapshot) {
    const fb::Root& root = *fb::GetRoot(snapshot.root->data());
    const Index index = index_of(snapshot, root);
    std::string out = "ports\n";
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
        if (name.first != fb::PartKind::Backends) {
            continue;
        }
        const auto& set = *flatbuffers::GetRoot<fb::BackendSet>(bytes->data());
        out += "  " + name.second;
        for (const fb::BackendEndpoint* endpoint : *set.endpoints()) {
            const std::string address = address_text(*endpoint->address());
            out += " " + (endpoint->address()->family() == 6 ? "[" + address + "]" : address) + ":" + std::to_string(endpoint->port());
            out += endpoint->state() == fb::EndpointState::Draining ? "(draining)" : "";
        }
        out += "\n";
    }
    return out;
}

}  // namespace penstock::compile
