// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/merge.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "ctl/model/value_text.hpp"
#include "ctl/source/same_content.hpp"

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

// An API server has given its objects their identities.
bool from_api(const Given& source) { return source.kind == kClusterKind; }

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

model::ObjectPtr Merger::finish(const Given& source, const model::ObjectPtr& given, std::int64_t now_s) {
    if (from_api(source)) {
        return given;
    }
    const auto found = finished_.find(given->key);
    if (found != finished_.end() && (found->second.given == given || (found->second.given->origin.file == given->origin.file && same_content(*found->second.given, *given)))) {
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
    const bool same = same_sources(sources);
    const std::vector<Edit> changes = same ? edits(sources) : std::vector<Edit>();
    if (same && without_duplicates(changes)) {
        merge_edits(changes, now_s);
    } else {
        merge_whole(sources, now_s);
    }
    seen_.clear();
    for (const Given* source : sources) {
        seen_.push_back({source->name, source->objects});
    }
    return merged_;
}

bool Merger::same_sources(const std::vector<const Given*>& sources) const {
    return std::equal(sources.begin(), sources.end(), seen_.begin(), seen_.end(), [](const Given* source, const Seen& seen) { return source->name == seen.name; });
}

// Of each source, what stands between the objects that it begins and ends with as before.
std::vector<Merger::Edit> Merger::edits(const std::vector<const Given*>& sources) const {
    std::vector<Edit> all;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const auto& old = seen_[i].objects;
        const auto& now = sources[i]->objects;
        const auto [old_first, now_first] = std::mismatch(old.begin(), old.end(), now.begin(), now.end());
        const auto [old_last, now_last] = std::mismatch(old.rbegin(), std::make_reverse_iterator(old_first), now.rbegin(), std::make_reverse_iterator(now_first));
        all.push_back({sources[i], {old_first, old_last.base()}, {now_first, now_last.base()}});
    }
    return all;
}

bool Merger::without_duplicates(const std::vector<Edit>& edits) const {
    std::set<model::ObjectKey> gone;
    std::set<model::ObjectKey> come;
    for (const Edit& edit : edits) {
        std::for_each(edit.gone.begin(), edit.gone.end(), [&](const auto& object) { gone.insert(object->key); });
    }
    const bool none_before = std::all_of(merged_.duplicates.begin(), merged_.duplicates.end(), [](const auto& list) { return list.empty(); });
    return none_before && std::all_of(edits.begin(), edits.end(), [&](const Edit& edit) {
        return std::all_of(edit.come.begin(), edit.come.end(), [&](const auto& object) {
            return come.insert(object->key).second && (gone.contains(object->key) || !merged_.origins.contains(object->key));
        });
    });
}

void Merger::merge_edits(const std::vector<Edit>& edits, std::int64_t now_s) {
    std::set<model::ObjectKey> come;
    for (const Edit& edit : edits) {
        for (const model::ObjectPtr& object : edit.come) {
            come.insert(object->key);
            merged_.origins.set(object->key, edit.source->name + ": " + object->origin.file);
            merged_.store.put(finish(*edit.source, object, now_s));
        }
    }
    for (const Edit& edit : edits) {
        for (const model::ObjectPtr& object : edit.gone) {
            if (!come.contains(object->key)) {
                merged_.origins.erase(object->key);
                merged_.store.erase(object->key);
                finished_.erase(object->key);
                book_.forget(name_of(object->key));
            }
        }
    }
}

void Merger::merge_whole(const std::vector<const Given*>& sources, std::int64_t now_s) {
    merged_ = {};
    std::set<std::string> names;
    for (const Given* source : sources) {
        std::vector<model::Diagnostic>& duplicates = merged_.duplicates.emplace_back();
        for (const model::ObjectPtr& object : source->objects) {
            if (const std::string* winner = merged_.origins.get(object->key)) {
                duplicates.push_back(duplicate_of(*object, *winner));
                continue;
            }
            merged_.origins.set(object->key, source->name + ": " + object->origin.file);
            if (!from_api(*source)) {
                names.insert(name_of(object->key));
            }
            merged_.store.put(finish(*source, object, now_s));
        }
    }
    book_.keep_only(names);
    std::erase_if(finished_, [&](const auto& entry) { return !merged_.origins.contains(entry.first); });
}

}  // namespace penstock::source
