// SPDX-License-Identifier: Apache-2.0
// What the daemon answers to the control API: taken on the loop's thread, put into JSON on the asker's where it is large.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "ctl/compile/dangling.hpp"
#include "ctl/compile/dump.hpp"
#include "ctl/daemon/daemon.hpp"
#include "ctl/model/value_text.hpp"
#include "ctl/status/conditions_json.hpp"
#include "userspace/base/base64.hpp"
#include "userspace/base/files.hpp"
#include "userspace/base/log.hpp"
#include "userspace/base/time.hpp"
#include "userspace/base/version.hpp"

namespace penstock::daemon {

namespace {

using nlohmann::json;

constexpr auto kAnswerPatience = std::chrono::seconds(30);

json reference(const model::ObjectKey& key) {
    return {{"kind", model::kind_name(key.kind)}, {"namespace", key.ns}, {"name", key.name}};
}

// Conditions that are not good, of every object of `published`.
json not_good_of(const status::Book::Published& published) {
    json list = json::array();
    for (const auto& [object, object_status] : published) {
        status::add_not_good(list, object_reference(object), json::parse(*object_status, nullptr, false));
    }
    return list;
}

// An object as an API server would show it.
nlohmann::ordered_json print(const model::Object& object, const json& object_status, const std::string& origin) {
    const model::KindInfo& kind = model::info(object.key.kind);
    const std::string version = kind.group.empty() ? std::string(kind.version) : fmt::format("{}/{}", kind.group, kind.version);
    nlohmann::ordered_json out = {{"apiVersion", version}, {"kind", kind.name}};
    using nlohmann::ordered_json;
    out["metadata"] = object.raw.metadata.empty() ? ordered_json::object() : ordered_json::parse(object.raw.metadata, nullptr, false);
    auto& meta = out["metadata"];
    if (kind.namespaced) {
        meta["namespace"] = object.key.ns;
    }
    meta["uid"] = object.meta.uid;
    meta["generation"] = object.meta.generation;
    meta["creationTimestamp"] = rfc3339(object.meta.creation_s);
    meta["annotations"]["penstock.dev/source"] = origin;
    const auto rest = ordered_json::parse(object.raw.rest, nullptr, false);
    for (const auto& [name, value] : rest.items()) {
        if (name != "apiVersion" && name != "kind") {
            out[name] = value;
        }
    }
    if (!object_status.is_null()) {
        out["status"] = object_status;
    }
    return out;
}

}  // namespace

// A moment of the daemon: shared and immutable, so it can be read on any thread.
struct Daemon::View {
    source::Merged merged;
    status::Book::Published statuses;
};

json to_json(const model::Diagnostic& diagnostic, const std::string& source) {
    json object = nullptr;
    if (!diagnostic.name.empty()) {
        object = {{"kind", diagnostic.kind}, {"namespace", diagnostic.ns}, {"name", diagnostic.name}};
    }
    return {{"severity", diagnostic.severity == model::Severity::error ? "error" : "warning"},
            {"source", source},
            {"file", diagnostic.file},
            {"line", diagnostic.line},
            {"object", object},
            {"path", diagnostic.path},
            {"message", diagnostic.message}};
}

template <class T>
Result<T> Daemon::on_loop(std::function<Result<T>()> question) {
    // Shared with the posted task: the asker may have given up when it runs.
    auto promise = std::make_shared<std::promise<Result<T>>>();
    auto answer = promise->get_future();
    if (!loop_.post([promise, question = std::move(question)] { promise->set_value(question()); })) {
        return Error{.code = Errc::internal, .what = "the daemon is stopping", .hint = "ask the next one"};
    }
    if (answer.wait_for(kAnswerPatience) != std::future_status::ready) {
        return Error{.code = Errc::timeout, .what = "ask the daemon's thread", .hint = "it is busy"};
    }
    return answer.get();
}

json Daemon::version() {
    const json datapath = machine_.facts().datapath;
    return {{"version", kVersion}, {"commit", kCommit}, {"api", {1}}, {"abi", datapath.value("abi", "")},
            {"controller", compile::kControllerName}, {"pid", ::getpid()}};
}

Result<json> Daemon::status() {
    return on_loop<json>([this]() -> Result<json> { return status_now(); });
}

json Daemon::sources_json() const {
    json list = json::array();
    for (const source::Given& one : given_) {
        json diagnostics = json::array();
        for (const model::Diagnostic& diagnostic : one.diagnostics) {
            diagnostics.push_back(to_json(diagnostic, one.name));
        }
        list.push_back({{"name", one.name}, {"kind", one.kind}, {"state", name_of(one.state)}, {"objects", one.objects.size()}, {"diagnostics", std::move(diagnostics)}});
    }
    return list;
}

// Who has those that are shared out.
json Daemon::addresses_json(json rows) const {
    for (json& row : rows) {
        const auto address = IpAddress::parse(row["address"].get<std::string>());
        if (addresses_ && address && shares_addresses(options_)) {
            row.update(addresses_->facts_of(*address));
        }
    }
    return rows;
}

json Daemon::listeners_json() const {
    json list = json::array();
    const auto* root = root_of(*compiled_);
    for (std::uint32_t i = 0; root != nullptr && i < root->listeners()->size(); ++i) {
        const auto* listener = root->listeners()->Get(i);
        json sockets = json::array();
        for (const auto* port : *root->ports()) {
            if (std::find(port->listeners()->begin(), port->listeners()->end(), i) != port->listeners()->end()) {
                sockets.push_back(port->socket()->str());
            }
        }
        const std::string name = listener->name()->str();
        const bool core = std::any_of(compiled_->steering.vips.begin(), compiled_->steering.vips.end(), [&](const compile::Vip& vip) {
            return vip.listener_name == name && vip.target == compile::Vip::Target::service;
        });
        const auto* object = listener->object();
        json row = listener_json(machine_.stats(), listener->id());
        row.erase("durations");
        row.update({{"id", listener->id()},
                    {"name", name},
                    {"object", {{"kind", object->kind()->str()}, {"namespace", object->namespace_()->str()}, {"name", object->name()->str()}}},
                    {"mode", penstock::snapshot::EnumNameListenerMode(listener->mode())},
                    {"sockets", sockets},
                    {"way", core ? "xdp" : "worker"}});
        list.push_back(std::move(row));
    }
    return list;
}

json Daemon::status_now() {
    MachineFacts facts = machine_.facts();
    facts.datapath["wanted"] = name_of(options_.datapath);
    json processes = facts.processes;
    processes.insert(processes.begin() + std::min<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(processes.size())),
                     json({{"name", "penstockd"}, {"pid", ::getpid()}, {"state", "running"}, {"restarts", 0}, {"detail", ""}}));
    json rungs = json::array({facts.rung_xdp});
    for (const Rung& rung : rungs_) {
        rungs.push_back({{"name", rung.name}, {"since", rung.since}, {"what", rung.what}, {"works", rung.works}, {"detail", rung.detail}});
    }
    std::map<std::string, int> kinds;
    for (const auto& [key, object] : merged_.store) {
        ++kinds[std::string(model::kind_name(key.kind))];
    }
    const Generation now = rollout_.generation();
    return {{"version", kVersion},
            {"commit", kCommit},
            {"pid", ::getpid()},
            {"uptime_ms", std::chrono::duration_cast<std::chrono::milliseconds>(Loop::Clock::now() - started_).count()},
            {"state_dir", state_.path()},
            {"generation", {{"wanted", now.wanted}, {"applied", now.applied}, {"taken", now.taken}}},
            {"reconciles", {{"events", reconciles_.events}, {"resyncs", reconciles_.resyncs}, {"repairs", reconciles_.repairs}}},
            {"processes", processes},
            {"workers", facts.workers},
            {"datapath", facts.datapath},
            {"addresses", addresses_json(std::move(facts.addresses))},
            {"address_shares", addresses_ && shares_addresses(options_) ? addresses_->facts() : json()},
            {"kernel", {{"release", kernel_release()}, {"rungs", rungs}}},
            {"sources", sources_json()},
            {"cluster", cluster_ ? cluster_->facts() : json()},
            {"objects", kinds},
            {"not_good", daemon::not_good_of(statuses_.published())},
            {"counters", {{"verdicts", facts.verdicts}, {"reasons", reasons_json(machine_.stats())}, {"worker", worker_json(machine_.stats())}}},
            {"listeners", listeners_json()},
            {"errors", errors_.to_json(now_ms())}};
}

Daemon::View Daemon::view() const { return {.merged = merged_, .statuses = statuses_.published()}; }

Result<json> Daemon::objects(const ObjectFilter& filter) {
    std::set<model::Kind> kinds;
    for (const std::string& word : filter.kinds) {
        const auto kind = model::kind_of_word(word);
        if (!kind) {
            return Error{.code = Errc::not_found, .what = fmt::format("there is no kind \"{}\"", word)};
        }
        kinds.insert(*kind);
    }
    PST_TRY_ASSIGN(const View now, on_loop<View>([this]() -> Result<View> { return view(); }));
    json items = json::array();
    for (const auto& [key, object] : now.merged.store) {
        if ((!kinds.empty() && !kinds.contains(key.kind)) || (!filter.any_ns && key.ns != filter.ns) || (!filter.any_name && key.name != filter.name)) {
            continue;
        }
        const auto* found = now.statuses.get(source::name_of(key));
        items.emplace_back(print(*object, found != nullptr ? json::parse(**found, nullptr, false) : json(), now.merged.origin(key).value_or("")));
    }
    return items;
}

Result<std::string> Daemon::tables() {
    using Compiled = std::shared_ptr<const compile::Compiled>;
    PST_TRY_ASSIGN(const Compiled now, on_loop<Compiled>([this]() -> Result<Compiled> { return compiled_; }));
    return compile::dump(*now);
}

Result<json> Daemon::counters() {
    using Compiled = std::shared_ptr<const compile::Compiled>;
    PST_TRY_ASSIGN(const Compiled now, on_loop<Compiled>([this]() -> Result<Compiled> { return compiled_; }));
    json out = counters_json(machine_.stats(), now->snapshot);
    out["time_ms"] = now_ms();
    return out;
}

// For who wants to ask the tables what the worker asks them. Neither keys nor certificates are in it.
Result<json> Daemon::snapshot() {
    using Compiled = std::shared_ptr<const compile::Compiled>;
    PST_TRY_ASSIGN(const Compiled now, on_loop<Compiled>([this]() -> Result<Compiled> { return compiled_; }));
    json parts = json::object();
    for (const auto& [path, part] : now->snapshot.parts) {
        if (path.starts_with("host/") || path.starts_with("backends/")) {
            parts[path] = base64_of(*part->bytes);
        }
    }
    const compile::Bytes& root = now->snapshot.root;
    return json{{"generation", board_.get().applied}, {"root", root == nullptr ? "" : base64_of(*root)}, {"parts", std::move(parts)}};
}

Result<json> Daemon::not_good() {
    using Published = status::Book::Published;
    PST_TRY_ASSIGN(const Published now, on_loop<Published>([this]() -> Result<Published> { return statuses_.published(); }));
    return daemon::not_good_of(now);
}

Result<json> Daemon::unsolved() {
    PST_TRY_ASSIGN(json all, on_loop<json>([this]() -> Result<json> { return errors_.to_json(now_ms()); }));
    json list = json::array();
    for (json& error : all) {
        if (!error["solved"].get<bool>()) {
            list.push_back(std::move(error));
        }
    }
    return list;
}

// ---- changes ------------------------------------------------------------------------------------------------------------
Result<ApiChanged> Daemon::change(const ApiChange& change) {
    return on_loop<ApiChanged>([this, change]() -> Result<ApiChanged> { return change_now(change); });
}

Status Daemon::apply_change(const ApiChange& change, source::Loaded& next, source::LoadResult& result) const {
    if (change.removals.empty()) {
        std::vector<source::LoadDocument> documents;
        for (const ApiDocument& document : change.documents) {
            documents.push_back({document.name, document.text});
        }
        result = next.load(documents, change.replace);
        return success();
    }
    for (const ApiObject& object : change.removals) {
        const auto kind = model::kind_of_word(object.kind);
        const model::ObjectKey key{kind.value_or(model::Kind::gateway), object.ns, object.name};
        const bool known = kind && merged_.origin(key).has_value();
        if (!kind || (!next.has(key) && !known)) {
            return Error{.code = Errc::not_found, .what = fmt::format("there is no {} {}/{}", object.kind, object.ns, object.name)};
        }
        if (!next.remove(key)) {
            return Error{.code = Errc::exists, .what = fmt::format("{} belongs to {}", key.text(), merged_.origin(key).value_or("another source")), .hint = "take it out of that file"};
        }
        result.changes.push_back({key, source::ObjectChange::What::removed});
    }
    return success();
}

json Daemon::not_good_of(const compile::Compiled& compiled) const {
    json list = json::array();
    for (const auto& [key, object_status] : compiled.statuses) {
        status::add_not_good(list, object_reference(source::name_of(key)), compile::to_json(*object_status, compile_options_.controller_name));
    }
    return list;
}

Result<ApiChanged> Daemon::change_now(const ApiChange& change) {
    source::Loaded next = loaded_;
    source::LoadResult result;
    PST_TRY(apply_change(change, next, result));
    ApiChanged out{.generation = rollout_.wanted(), .changed = json::array(), .diagnostics = json::array(), .not_good = nullptr, .refused = result.refused};
    for (const source::ObjectChange& one : result.changes) {
        json entry = reference(one.key);
        entry["change"] = source::name_of(one.what);
        out.changed.push_back(std::move(entry));
    }
    for (const model::Diagnostic& diagnostic : result.diagnostics) {
        out.diagnostics.push_back(to_json(diagnostic, "loaded"));
    }
    if (result.refused) {
        return out;
    }
    source::Merger merger = merger_;
    const source::Merged merged = merge(merger, given_by_all(next));
    for (const model::Diagnostic& duplicate : merged.duplicates.back()) {
        out.diagnostics.push_back(to_json(duplicate, "loaded"));
    }
    for (const source::ObjectChange& one : result.changes) {
        if (const auto object = next.has(one.key) ? merged.store.get(one.key) : nullptr) {
            for (const model::Diagnostic& warning : compile::dangling(*object, merged.store)) {
                out.diagnostics.push_back(to_json(warning, "loaded"));
            }
        }
    }
    if (change.dry_run) {
        out.not_good = not_good_of(compile::compile(merged.store, compile_options_, compiled_.get(), nullptr, addresses_of_others()));
        return out;
    }
    // Kept first: what is served must be there after a restart.
    PST_TRY(write_file(state_.file("loaded.json"), next.encode(), 0600));
    log::info("process {} changed {} objects by the control socket", change.peer, result.changes.size());
    loaded_ = std::move(next);
    sources_changed();
    out.generation = rollout_.wanted();
    return out;
}

}  // namespace penstock::daemon
