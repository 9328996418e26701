// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/merge.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "ctl/model/value_text.hpp"

namespace penstock::source {

namespace {

// What metadata.generation counts. The printable form of a Secret hides what matters, so its content is taken from the decoded one.
std::string content_of(const model::Object& object) {
    std::string text = model::to_json_text(object.raw.without("metadata").without("status"), -1);
    if (const auto* secret = model::body_of<model::Secret>(object)) {
        for (const auto& [name, bytes] : secret->data) {
            text += "\n" + name + " " + digest_of(bytes);
        }
    }
    return text;
}

bool same_content(const model::Object& a, const model::Object& b) {
    const auto* left = model::body_of<model::Secret>(a);
    const auto* right = model::body_of<model::Secret>(b);
    const bool secrets = left == nullptr || right == nullptr || (left->type == right->type && left->data == right->data);
    return secrets && a.meta == b.meta && a.raw == b.raw && a.origin.file == b.origin.file;
}

model::Diagnostic duplicate_of(const model::Object& object, const std::string& winner) {
    model::Diagnostic diagnostic;
    diagnostic.severity = model::Severity::warning;
    diagnostic.file = object.origin.file;
    diagnostic.line = object.origin.line;
    diagnostic.kind = model::kind_name(object.key.kind);
    diagnostic.ns = object.key.ns;
    diagnostic.name = object.key.name;
    diagnostic.message = object.key.text() + " is not used: it is in " + winner + ", too";
    return diagnostic;
}

}  // namespace

model::ObjectPtr Merger::finish(const model::ObjectPtr& given, std::int64_t now_s) {
    const auto found = finished_.find(given->key);
    if (found != finished_.end() && (found->second.given == given || same_content(*found->second.given, *given))) {
        found->second.given = given;
        return found->second.whole;
    }
    const Identity& identity = book_.observe(name_of(given->key), content_of(*given), now_s);
    auto whole = std::make_shared<model::Object>(*given);
    if (whole->meta.uid.empty()) {
        whole->meta.uid = identity.uid;
    }
    if (whole->meta.generation == 0) {
        whole->meta.generation = identity.generation;
    }
    if (whole->meta.creation_s == 0) {
        whole->meta.creation_s = identity.created_s;
    }
    finished_[given->key] = {given, whole};
    return whole;
}

Merged Merger::merge(const std::vector<const Given*>& sources, std::int64_t now_s) {
    Merged merged;
    std::set<std::string> names;
    for (const Given* source : sources) {
        std::vector<model::Diagnostic>& duplicates = merged.duplicates.emplace_back();
        for (const model::ObjectPtr& object : source->objects) {
            std::string origin = source->name + ": " + object->origin.file;
            const auto [at, fresh] = merged.origins.try_emplace(object->key, std::move(origin));
            if (!fresh) {
                duplicates.push_back(duplicate_of(*object, at->second));
                continue;
            }
            names.insert(name_of(object->key));
            merged.store.put(finish(object, now_s));
        }
    }
    book_.keep_only(names);
    std::erase_if(finished_, [&](const auto& entry) { return !merged.origins.contains(entry.first); });
    return merged;
}

}  // namespace penstock::source
