// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/scene.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "ctl/gwctl/answer.hpp"
#include "ctl/model/decode.hpp"
#include "ctl/model/value_text.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

// Documentation's own address: a Gateway that names none shall not fail for that alone.
constexpr const char* kSomeAddress = "192.0.2.1";

// Whether a Secret's entries are shown by name only, as a daemon shows them.
bool is_closed(const json& object) {
    const auto hidden = [](const json& entries) { return !entries.empty() && entries.begin()->is_string() && *entries.begin() == model::kRedacted; };
    return text_at(object, {"kind"}) == "Secret" && (hidden(at(object, {"data"})) || hidden(at(object, {"stringData"})));
}

json without_entries(json object) {
    object.erase("data");
    object.erase("stringData");
    return object;
}

void take(Scene& scene, model::Kind kind, const json& object) {
    std::vector<model::Diagnostic> diagnostics;
    const bool closed = is_closed(object);
    const auto decoded = model::decode_object(model::from_json(nlohmann::ordered_json(closed ? without_entries(object) : object)), "", diagnostics);
    if (decoded == nullptr) {
        const model::ObjectKey key{kind, text_at(object, {"metadata", "namespace"}), text_at(object, {"metadata", "name"})};
        for (const model::Diagnostic& one : diagnostics) {
            scene.unreadable.push_back({.code = "OB001", .weight = Weight::warning, .object = key, .path = one.path, .message = one.message, .hint = "Penstock serves its last good version, or none",
                                        .manifest = {}, .explains = {}});
        }
        return;
    }
    if (const json& status = at(object, {"status"}); !status.empty()) {
        scene.statuses[decoded->key] = status;
    }
    if (closed) {
        scene.closed.insert(decoded->key);
    }
    scene.store.put(decoded);
}

// Whether an object's status hangs on what was not seen: a Secret's content, objects of an unseen kind, or what permits a reference to
// another namespace.
bool hangs_on_unseen(const Scene& scene, const model::Object& object) {
    const std::vector<model::Reference> references = references_of(object);
    return std::any_of(references.begin(), references.end(), [&](const model::Reference& one) {
        const auto kind = kind_of(one);
        const bool elsewhere = !one.ns.empty() && one.ns != object.key.ns;
        return (kind && (scene.unseen.contains(*kind) || scene.closed.contains({*kind, one.ns, one.name}))) ||
               (elsewhere && (scene.unseen.contains(model::Kind::reference_grant) || scene.unseen.contains(model::Kind::namespace_)));
    });
}

// Those that a daemon would give. Of what hangs on things unseen nothing is known.
void compute_statuses(Scene& scene, const compile::Options& options, const compile::AddressBook& told) {
    scene.statuses.clear();
    const compile::Compiled compiled = compile::compile(scene.store, options, nullptr, &told);
    for (const auto& [key, status] : compiled.statuses) {
        if (const auto object = scene.store.get(key); object == nullptr || !hangs_on_unseen(scene, *object)) {
            scene.statuses[key] = compile::to_json(*status, options.controller_name);
        }
    }
}

// What Gateways have by their statuses.
compile::AddressBook addresses_told(const Scene& scene) {
    compile::AddressBook told;
    for (const auto& [key, status] : scene.statuses) {
        const json list = key.kind == model::Kind::gateway && status.is_object() ? status.value("addresses", json::array()) : json::array();
        for (const json& one : list) {
            const json value = one.is_object() ? one.value("value", json()) : json();
            if (const auto ip = value.is_string() ? IpAddress::parse(value.get_ref<const std::string&>()) : std::nullopt) {
                told["Gateway/" + key.ns + "/" + key.name].push_back(*ip);
            }
        }
    }
    return told;
}

// What the files would be compiled with, and an address if the node's is not said.
compile::Options options_of(const Offline& files) {
    compile::Options options = files.options;
    if (options.node_addresses.empty()) {
        options.node_addresses.push_back(*IpAddress::parse(kSomeAddress));
    }
    return options;
}

}  // namespace

Result<Scene> scene_of_place(Place& place, std::int64_t now_s) {
    Scene scene{.now_s = now_s};
    std::string unseen;
    std::string why;  // of the first
    for (std::size_t i = 0; i < model::kKinds; ++i) {
        const auto kind = static_cast<model::Kind>(i);
        auto found = place.objects({.kind = kind, .ns = {}, .name = "", .selector = "", .usable = true});
        if (!found.ok() && found.error().code == Errc::denied && scene.unseen.size() + 1 < model::kKinds) {
            scene.unseen.insert(kind);
            unseen += (unseen.empty() ? "" : ", ") + std::string(model::info(kind).plural);
            const Error& error = found.error();  // the place is told besides
            why = !why.empty() ? why : error.context.empty() ? error.what : error.context.front() + ": " + error.what;
        } else if (!found.ok() && found.error().code == Errc::unsupported) {
            std::fprintf(stderr, "note: %s\n", found.error().sentence().c_str());
        } else if (!found.ok()) {
            return std::move(found).error();
        } else {
            for (const json& object : *found) {
                take(scene, kind, object);
            }
        }
    }
    if (!unseen.empty()) {
        std::fprintf(stderr, "note: not looked at: %s (%s)\n", unseen.c_str(), why.c_str());
    }
    return scene;
}

Scene scene_of_files(const Offline& files, std::int64_t now_s) {
    Scene scene{.store = files.store, .whole = false, .watched = false, .now_s = now_s};
    compute_statuses(scene, options_of(files), {});
    return scene;
}

Planned with_files(Scene base, const Offline& files, const std::string& ns) {
    Planned planned;
    base.watched = false;
    planned.before = base;
    planned.after = std::move(base);
    for (const auto& [key, object] : files.store) {
        auto copy = std::make_shared<model::Object>(*object);
        if (!key.ns.empty() && model::value_of(object->raw).find_path({"metadata", "namespace"}) == nullptr) {
            copy->key.ns = ns;
        }
        const model::ObjectPtr there = planned.before.store.get(copy->key);
        if (there != nullptr) {  // it keeps its age
            copy->meta.creation_s = there->meta.creation_s;
            copy->meta.uid = there->meta.uid;
        } else {
            copy->meta.creation_s = planned.after.now_s;
        }
        (there != nullptr ? planned.replaced : planned.created).push_back(copy->key);
        planned.after.closed.erase(copy->key);
        planned.after.store.put(std::move(copy));
    }
    const compile::Options options = options_of(files);
    const compile::AddressBook told = addresses_told(planned.before);
    compute_statuses(planned.before, options, told);
    compute_statuses(planned.after, options, told);
    return planned;
}

}  // namespace penstock::gwctl
