// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/merge.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "ctl/source/same_content.hpp"

namespace penstock::source {

namespace {

// What metadata.generation counts. The printable form of a Secret hides what matters, so its content is taken from the decoded one.
std::string content_of(const model::Object& object) {
    std::string text = object.raw.rest;
    if (const auto* secret = model::body_of<model::Secret>(object)) {
        for (const auto& [name, bytes] : secret->data) {
            text += "\n" + name + " " + digest_of(bytes);
        }
    }
    return text;
}

// An API server has given its objects their identities.
bool from_api(const Given& source) { return source.kind == kClusterKind; }

}  // namespace

std::optional<std::string> Merged::origin(const model::ObjectKey& key) const {
    for (const Source& source : sources) {
        if (const model::ObjectPtr* object = source.objects.get(key)) {
            return place_of(source.name, **object);
        }
    }
    return std::nullopt;
}

model::ObjectPtr Merger::finish(const Given& source, const model::ObjectPtr& given, std::int64_t now_s) {
    if (from_api(source)) {
        return given;
    }
    const Finished* before = finished_.get(given->key);
    if (before != nullptr && (before->given == given || (before->given->origin.file == given->origin.file && same_content(*before->given, *given)))) {
        const model::ObjectPtr whole = before->whole;
        finished_.set(given->key, {given, whole});
        return whole;
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
    finished_.set(given->key, {given, whole});
    return whole;
}

Merged Merger::merge(const std::vector<const Given*>& sources, std::int64_t now_s) {
    const bool same = std::equal(sources.begin(), sources.end(), merged_.sources.begin(), merged_.sources.end(),
                                 [](const Given* source, const Merged::Source& seen) { return source->name == seen.name; });
    if (!same) {
        begin_anew(sources);
    }
    std::set<model::ObjectKey> touched;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        auto& seen = merged_.sources[i].objects;
        model::Store::Map::diff(seen, sources[i]->objects, [&](const auto* before, const auto* after) { touched.insert((before != nullptr ? before : after)->first); });
        seen = sources[i]->objects;
    }
    for (const model::ObjectKey& key : touched) {
        settle(key, sources, now_s);
    }
    if (!same) {
        forget_the_gone();
    }
    merged_.duplicates.assign(sources.size(), {});
    for (const auto& [key, told] : losers_) {
        for (const auto& [source, diagnostic] : told) {
            merged_.duplicates[source].push_back(diagnostic);
        }
    }
    return merged_;
}

void Merger::begin_anew(const std::vector<const Given*>& sources) {
    merged_ = {};
    losers_.clear();
    for (const Given* source : sources) {
        merged_.sources.push_back({source->name, {}});
    }
}

void Merger::settle(const model::ObjectKey& key, const std::vector<const Given*>& sources, std::int64_t now_s) {
    losers_.erase(key);
    const Given* winner = nullptr;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const model::ObjectPtr* object = sources[i]->objects.get(key);
        if (object == nullptr) {
            continue;
        }
        if (winner != nullptr) {
            losers_[key].emplace(i, duplicate_of(**object, place_of(winner->name, **winner->objects.get(key))));
            continue;
        }
        winner = sources[i];
        merged_.store.put(finish(*winner, *object, now_s));
    }
    if (winner == nullptr) {
        merged_.store.erase(key);
    }
    if (winner == nullptr || from_api(*winner)) {
        finished_.erase(key);
        book_.forget(name_of(key));
    }
}

// What went while nobody looked, or with a source.
void Merger::forget_the_gone() {
    std::set<std::string> names;
    std::vector<model::ObjectKey> gone;
    for (const auto& [key, finished] : finished_) {
        if (merged_.store.get(key) != finished.whole) {
            gone.push_back(key);
        } else {
            names.insert(name_of(key));
        }
    }
    std::for_each(gone.begin(), gone.end(), [this](const model::ObjectKey& key) { finished_.erase(key); });
    book_.keep_only(names);
}

}  // namespace penstock::source
