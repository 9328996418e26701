// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/dump_rules.hpp"

#include "schema/views.hpp"

namespace penstock::compile {
namespace {

namespace fb = penstock::snapshot;

using Strings = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;

std::string joined(const Strings* list) {
    std::string out;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        out += (i == 0 ? "" : ",") + list->Get(static_cast<flatbuffers::uoffset_t>(i))->str();
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
    return std::string(edit == fb::PathEdit::ReplaceFull ? " path=" : " prefix=") + fb::string_of(path);
}

void add_filters(std::string& out, const fb::Filters* filters) {
    if (filters == nullptr) {
        return;
    }
    add_edit(out, "request", filters->request_headers());
    add_edit(out, "response", filters->response_headers());
    if (const fb::Redirect* redirect = filters->redirect()) {
        out += " redirect(" + std::to_string(redirect->status());
        out += redirect->scheme() != nullptr ? " scheme=" + fb::string_of(redirect->scheme()) : "";
        out += redirect->hostname() != nullptr ? " host=" + fb::string_of(redirect->hostname()) : "";
        out += redirect->port() != 0 ? " port=" + std::to_string(redirect->port()) : "";
        out += path_edit(redirect->path_edit(), redirect->path()) + ")";
    }
    if (const fb::Rewrite* rewrite = filters->rewrite()) {
        out += " rewrite(" + (rewrite->hostname() != nullptr ? "host=" + fb::string_of(rewrite->hostname()) : std::string("-"));
        out += path_edit(rewrite->path_edit(), rewrite->path()) + ")";
    }
    for (std::size_t i = 0; filters->mirrors() != nullptr && i < filters->mirrors()->size(); ++i) {
        const fb::Mirror* mirror = filters->mirrors()->Get(static_cast<flatbuffers::uoffset_t>(i));
        out += " mirror(" + fb::string_of(mirror->backends()) + " " + std::to_string(mirror->numerator()) + "/" + std::to_string(mirror->denominator()) + ")";
    }
    if (const fb::Cors* cors = filters->cors()) {
        out += " cors(origins=" + joined(cors->allow_origins()) + " methods=" + joined(cors->allow_methods()) + " headers=" + joined(cors->allow_headers());
        out += " expose=" + joined(cors->expose_headers()) + " max_age=" + std::to_string(cors->max_age_s()) + (cors->allow_credentials() ? " credentials)" : ")");
    }
}

void add_retry(std::string& out, const fb::Retry* retry) {
    if (retry == nullptr) {
        return;
    }
    out += " retry(attempts=" + std::to_string(retry->attempts());
    for (std::size_t i = 0; retry->codes() != nullptr && i < retry->codes()->size(); ++i) {
        out += (i == 0 ? " codes=" : ",") + std::to_string(retry->codes()->Get(static_cast<flatbuffers::uoffset_t>(i)));
    }
    out += retry->backoff_ms() != 0 ? " backoff_ms=" + std::to_string(retry->backoff_ms()) + ")" : ")";
}

void add_persistence(std::string& out, const fb::Persistence* persistence) {
    if (persistence == nullptr) {
        return;
    }
    out += persistence->type() == fb::PersistenceType::Header ? " persist(header " : " persist(cookie ";
    out += fb::string_of(persistence->name());
    out += persistence->path() != nullptr ? " path=" + fb::string_of(persistence->path()) : "";
    out += persistence->permanent() ? " permanent" : "";
    out += persistence->absolute_timeout_s() != 0 ? " absolute_s=" + std::to_string(persistence->absolute_timeout_s()) : "";
    out += persistence->idle_timeout_s() != 0 ? " idle_s=" + std::to_string(persistence->idle_timeout_s()) : "";
    out += ")";
}

}  // namespace

std::string filters_text(const fb::Filters* filters) {
    std::string out;
    add_filters(out, filters);
    return out.substr(out.empty() ? 0 : 1);
}

std::string rule_text(const fb::Rule& rule) {
    std::string out = fb::name_of(*rule.object()) + "#" + std::to_string(rule.index());
    add_filters(out, rule.filters());
    out += rule.request_ms() != 0 ? " request_ms=" + std::to_string(rule.request_ms()) : "";
    out += rule.backend_request_ms() != 0 ? " backend_request_ms=" + std::to_string(rule.backend_request_ms()) : "";
    add_retry(out, rule.retry());
    add_persistence(out, rule.persistence());
    for (std::size_t i = 0; rule.backends() != nullptr && i < rule.backends()->size(); ++i) {
        const fb::WeightedBackend* backend = rule.backends()->Get(static_cast<flatbuffers::uoffset_t>(i));
        out += " " + (backend->backends() != nullptr ? fb::string_of(backend->backends()) : std::string("unresolved")) + "*" +
               std::to_string(backend->weight());
        add_filters(out, backend->filters());
    }
    return out;
}

std::string match_text(const fb::Match& match) {
    static constexpr const char* kPaths[] = {"prefix ", "exact ", "regex "};
    std::string out = kPaths[static_cast<std::size_t>(match.path_match())] + match.path()->str();
    out += match.method() != nullptr ? " " + fb::string_of(match.method()) : "";
    add_named(out, '@', match.headers());
    add_named(out, '?', match.query());
    return out;
}

}  // namespace penstock::compile
