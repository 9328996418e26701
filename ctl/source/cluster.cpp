// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/cluster.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "ctl/compile/annotations.hpp"
#include "ctl/kubeapi/version.hpp"
#include "ctl/model/text_at.hpp"
#include "ctl/source/same_content.hpp"

namespace penstock::source {

namespace {

using model::Value;
using nlohmann::json;

bool is_core(model::Kind kind) { return model::info(kind).group.empty() || kind == model::Kind::endpoint_slice; }

// Others write theirs into core objects all the time: leader elections, autoscalers, times of changes.
Value bare_annotations(model::Kind kind, const Value& annotations) {
    if (!is_core(kind)) {
        return annotations.without("kubectl.kubernetes.io/last-applied-configuration");
    }
    Value ours = annotations;
    for (const auto& [name, value] : annotations.members()) {
        ours = name.starts_with(compile::kAnnotationPrefix) ? ours : ours.without(name);
    }
    return ours;
}

// Without what changes though nothing that we read does.
Value bare(model::Kind kind, const Value& whole) {
    Value out = whole.without("status");
    if (const Value* metadata = out.find("metadata")) {
        Value meta = metadata->without("managedFields").without("resourceVersion");
        meta = is_core(kind) ? meta.without("generation") : meta;
        if (const Value* annotations = meta.find("annotations")) {
            const Value left = bare_annotations(kind, *annotations);
            meta = left.members().empty() ? meta.without("annotations") : meta.with("annotations", left);
        }
        out = out.with("metadata", meta);
    }
    return model::without_ignored(kind, out);
}

model::ObjectKey key_of(model::Kind kind, const Value& whole) {
    return {kind, model::info(kind).namespaced ? text_at(whole, {"metadata", "namespace"}) : std::string(), text_at(whole, {"metadata", "name"})};
}

ClusterItem read_item(model::Kind kind, const Value& whole) {
    ClusterItem item{.key = key_of(kind, whole), .gone = false, .object = {}, .version = text_at(whole, {"metadata", "resourceVersion"}), .status = {}, .diagnostics = {}};
    if (const Value* status = whole.find("status")) {
        item.status = model::to_json_text(*status, -1);
    }
    item.object = model::decode_object(bare(kind, whole), item.key.text(), item.diagnostics);
    // An API server keeps newer fields than we know; only what makes an object useless to us is worth a word there.
    std::erase_if(item.diagnostics, [](const auto& diagnostic) { return diagnostic.severity != model::Severity::error; });
    return item;
}

constexpr std::size_t kAddressesMax = 16;  // the API has no more

std::vector<IpAddress> addresses_in(const std::string& status) {
    std::vector<IpAddress> found;
    const json read = json::parse(status, nullptr, false);
    const json& list = read.is_object() && read.contains("addresses") ? read["addresses"] : json();
    for (std::size_t i = 0; list.is_array() && i < std::min(list.size(), kAddressesMax); ++i) {
        const json& value = list[i].is_object() && list[i].contains("value") ? list[i]["value"] : json();
        if (const auto ip = value.is_string() ? IpAddress::parse(value.get_ref<const std::string&>()) : std::nullopt) {
            found.push_back(*ip);
        }
    }
    return found;
}

}  // namespace

ClusterNews read_news(kubeapi::News news) {
    ClusterNews out{.kind = news.kind, .resource = std::move(news.resource), .state = std::move(news.state), .all = news.batch.all, .since = std::move(news.batch.since), .items = {}};
    for (const auto& [whole, gone] : news.batch.changes) {
        out.items.push_back(gone ? ClusterItem{.key = key_of(news.kind, whole), .gone = true} : read_item(news.kind, whole));
    }
    return out;
}

Cluster::Changed Cluster::apply(ClusterNews news) {
    Changed changed;
    const bool first = news.state.synced && synced_.insert(news.kind).second;
    changed.content = first;
    states_[news.kind] = news.state;
    if (!news.resource.plural.empty()) {
        resources_[news.kind] = std::move(news.resource);
    } else if (news.state.missing) {
        resources_.erase(news.kind);
    }
    if (news.all) {
        keep_only(news, changed);
    }
    for (ClusterItem& item : news.items) {
        if (item.gone) {
            take_out(item.key, changed);
        } else {
            const bool told = news.all && (item.version == news.since || kubeapi::older_version(item.version, news.since));
            const bool before = std::exchange(changed.content, false);
            put(std::move(item), news.all, changed);
            changed.missed = changed.missed || (told && changed.content);
            changed.content = changed.content || before;
        }
    }
    return changed;
}

void Cluster::keep_only(const ClusterNews& news, Changed& changed) {
    std::set<model::ObjectKey> listed;
    for (const ClusterItem& item : news.items) {
        listed.insert(item.key);
    }
    std::vector<model::ObjectKey> gone;
    for (auto it = objects_.lower_bound({news.kind, "", ""}); it != objects_.end() && it->first.kind == news.kind; ++it) {
        if (!listed.contains(it->first)) {
            gone.push_back(it->first);
        }
    }
    for (const model::ObjectKey& key : gone) {
        take_out(key, changed);
    }
    changed.vanished = !gone.empty();
}

void Cluster::put(ClusterItem item, bool listed, Changed& changed) {
    events_ += 1;
    Stored& stored = objects_[item.key];
    if (!listed && kubeapi::older_version(item.version, stored.version)) {
        return;  // the answer to a write of ours was faster; that version comes, too
    }
    const bool other_version = stored.version != item.version;
    if (other_version) {
        changed.statuses.push_back(item.key);
    }
    stored.version = std::move(item.version);
    if (stored.status != item.status && note_addresses(item.key, item.status)) {
        mattered_ += 1;
        changed.content = true;
    }
    stored.status = std::move(item.status);
    if (item.diagnostics.empty()) {
        changed.content = diagnostics_.erase(item.key) != 0 || changed.content;  // to be told no more
    } else {
        diagnostics_[item.key] = std::move(item.diagnostics);
    }
    if (item.object == nullptr) {
        mattered_ += other_version ? 1 : 0;
        changed.content = changed.content || other_version;  // to be told
        return;
    }
    if (stored.object == nullptr || !same_content(*stored.object, *item.object)) {
        mattered_ += 1;
        changed.content = true;
        stored.object = std::move(item.object);
        readable_.set(item.key, stored.object);
    }
}

// True: it has others than before.
bool Cluster::note_addresses(const model::ObjectKey& key, const std::string& status) {
    if (key.kind != model::Kind::gateway) {
        return false;
    }
    std::vector<IpAddress> now = addresses_in(status);
    const auto before = addresses_.find(name_of(key));
    if (before == addresses_.end() ? now.empty() : before->second == now) {
        return false;
    }
    if (now.empty()) {
        addresses_.erase(before);
    } else {
        addresses_.insert_or_assign(name_of(key), std::move(now));
    }
    return true;
}

void Cluster::take_out(const model::ObjectKey& key, Changed& changed) {
    events_ += 1;
    diagnostics_.erase(key);
    readable_.erase(key);
    note_addresses(key, "");
    if (objects_.erase(key) != 0) {
        changed.gone.push_back(key);
        mattered_ += 1;
        changed.content = true;
    }
}

void Cluster::wrote(const model::ObjectKey& key, std::string version, std::string status) {
    if (const auto found = objects_.find(key); found != objects_.end() && kubeapi::older_version(found->second.version, version)) {
        note_addresses(key, status);
        found->second.version = std::move(version);
        found->second.status = std::move(status);
    }
}

Given Cluster::given() const {
    Given given{.name = "cluster " + name_, .kind = kClusterKind, .state = ready() ? State::ok : State::failed, .objects = readable_, .diagnostics = {}};
    for (const auto& [kind, state] : states_) {
        if (!state.trouble.empty()) {
            model::Diagnostic told;
            told.severity = state.missing ? model::Severity::warning : model::Severity::error;
            told.file = state.api_version;
            told.kind = model::kind_name(kind);
            told.message = state.trouble;
            given.diagnostics.push_back(std::move(told));
        }
    }
    for (const auto& [key, told] : diagnostics_) {
        given.diagnostics.insert(given.diagnostics.end(), told.begin(), told.end());
    }
    const bool bad = std::any_of(given.diagnostics.begin(), given.diagnostics.end(), [](const auto& d) { return d.severity == model::Severity::error; });
    if (bad && given.state == State::ok) {
        given.state = State::degraded;
    }
    return given;
}

const Cluster::Stored* Cluster::find(const model::ObjectKey& key) const {
    const auto found = objects_.find(key);
    return found != objects_.end() ? &found->second : nullptr;
}

const kubeapi::Resource* Cluster::resource(model::Kind kind) const {
    const auto found = resources_.find(kind);
    return found != resources_.end() ? &found->second : nullptr;
}

}  // namespace penstock::source
