// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/loaded.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace penstock::source {

namespace {

struct Item {
    model::Value value;
    model::ObjectPtr object;
};

// The objects of a text that was found valid before, each with the value it was written as.
void add_items(const model::Value& value, const std::string& file, std::vector<Item>& out) {
    const model::Value* kind = value.find("kind");
    const model::Value* items = value.find("items");
    if (kind != nullptr && kind->as_string() != nullptr && kind->as_string()->ends_with("List") && items != nullptr) {
        for (const model::Value& item : items->items()) {
            add_items(item, file, out);
        }
        return;
    }
    std::vector<model::Diagnostic> told_before;
    if (auto object = model::decode_object(value, file, told_before)) {
        out.push_back({value, std::move(object)});
    }
}

// Parses all documents; the second of two documents with one object is an error as it is within one document.
std::vector<Item> parse_all(const std::vector<LoadDocument>& documents, std::vector<model::Diagnostic>& diagnostics) {
    std::vector<Item> items;
    for (const LoadDocument& document : documents) {
        model::ParseResult parsed = model::parse_manifests(document.text, document.name);
        diagnostics.insert(diagnostics.end(), parsed.diagnostics.begin(), parsed.diagnostics.end());
        if (parsed.has_errors()) {
            continue;
        }
        for (const model::Document& one : model::parse_documents(document.text)) {
            add_items(one.value, document.name, items);
        }
    }
    std::map<model::ObjectKey, const Item*> first;
    for (const Item& item : items) {
        const auto [at, fresh] = first.emplace(item.object->key, &item);
        if (!fresh) {
            diagnostics.push_back(model::diagnostic_of(model::Severity::error, *item.object, "", "is in " + at->second->object->origin.file + ", too"));
        }
    }
    return items;
}

bool any_error(const std::vector<model::Diagnostic>& diagnostics) {
    return std::any_of(diagnostics.begin(), diagnostics.end(), [](const auto& d) { return d.severity == model::Severity::error; });
}

}  // namespace

std::string_view name_of(ObjectChange::What what) {
    switch (what) {
        case ObjectChange::What::created: return "created";
        case ObjectChange::What::configured: return "configured";
        case ObjectChange::What::unchanged: return "unchanged";
        case ObjectChange::What::removed: break;
    }
    return "removed";
}

LoadResult Loaded::load(const std::vector<LoadDocument>& documents, bool replace) {
    LoadResult result;
    std::vector<Item> items = parse_all(documents, result.diagnostics);
    if (items.empty() && !any_error(result.diagnostics)) {
        // An empty stream is what is left of a pipe whose first program failed; with `replace` it would delete everything.
        model::Diagnostic nothing;
        nothing.file = documents.empty() ? "" : documents.front().name;
        nothing.message = "holds no object that could be loaded";
        result.diagnostics.push_back(std::move(nothing));
    }
    result.refused = any_error(result.diagnostics);
    shorten(result.diagnostics);
    if (result.refused) {
        return result;
    }
    std::set<model::ObjectKey> put;
    for (Item& item : items) {
        const model::ObjectKey key = item.object->key;
        put.insert(key);
        const auto before = entries_.find(key);
        const bool fresh = before == entries_.end();
        const bool same = !fresh && before->second.value == item.value;
        result.changes.push_back({key, fresh  ? ObjectChange::What::created
                                       : same ? ObjectChange::What::unchanged
                                              : ObjectChange::What::configured});
        if (!same) {
            keep(key, {.order = fresh ? next_order_++ : before->second.order, .value = std::move(item.value), .object = std::move(item.object)});
        }
    }
    for (auto at = entries_.begin(); replace && at != entries_.end();) {
        if (put.contains(at->first)) {
            ++at;
        } else {
            result.changes.push_back({at->first, ObjectChange::What::removed});
            objects_.erase(at->first);
            at = entries_.erase(at);
        }
    }
    return result;
}

void Loaded::keep(const model::ObjectKey& key, Entry entry) {
    objects_.set(key, entry.object);
    entries_.insert_or_assign(key, std::move(entry));
}

bool Loaded::remove(const model::ObjectKey& key) { return objects_.erase(key) && entries_.erase(key) > 0; }

Given Loaded::given() const {
    return {.name = "loaded", .kind = "loaded", .state = any_error(diagnostics_) ? State::degraded : State::ok, .objects = objects_, .diagnostics = diagnostics_};
}

std::string Loaded::encode() const {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    std::vector<const Entry*> sorted;
    for (const auto& [key, entry] : entries_) {
        sorted.push_back(&entry);
    }
    std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) { return a->order < b->order; });
    for (const Entry* entry : sorted) {
        list.push_back({{"file", entry->object->origin.file}, {"object", model::to_json(entry->value)}});
    }
    return nlohmann::ordered_json{{"penstock", "loaded 1"}, {"objects", std::move(list)}}.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Loaded> Loaded::decode(std::string_view text) {
    const auto parsed = nlohmann::ordered_json::parse(text, nullptr, false);
    if (!parsed.is_object() || parsed.value("penstock", "") != "loaded 1" || !parsed.contains("objects") || !parsed["objects"].is_array()) {
        return Error{.code = Errc::invalid, .what = "read the loaded objects: the file is not ours or damaged"};
    }
    Loaded loaded;
    for (const auto& item : parsed["objects"]) {
        if (!item.is_object() || !item.contains("object")) {
            return Error{.code = Errc::invalid, .what = "read the loaded objects: an entry has no object"};
        }
        const model::Value value = model::from_json(item["object"]);
        std::vector<model::Diagnostic> diagnostics;
        auto object = model::decode_object(value, item.value("file", ""), diagnostics);
        if (object == nullptr) {
            loaded.diagnostics_.insert(loaded.diagnostics_.end(), diagnostics.begin(), diagnostics.end());
            continue;
        }
        const model::ObjectKey key = object->key;
        loaded.keep(key, {.order = loaded.next_order_++, .value = value, .object = std::move(object)});
    }
    return loaded;
}

}  // namespace penstock::source
