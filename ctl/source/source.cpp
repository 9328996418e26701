// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/source.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace penstock::source {

std::string_view name_of(State state) {
    switch (state) {
        case State::ok: return "ok";
        case State::degraded: return "degraded";
        case State::failed: break;
    }
    return "failed";
}

std::string name_of(const model::ObjectKey& key) {
    return std::string(model::kind_name(key.kind)) + "/" + key.ns + "/" + key.name;
}

std::optional<model::ObjectKey> key_of_name(std::string_view name) {
    const std::size_t first = name.find('/');
    const std::size_t second = first == std::string_view::npos ? first : name.find('/', first + 1);
    const auto kind = second == std::string_view::npos ? std::nullopt : model::kind_of_word(name.substr(0, first));
    if (!kind) {
        return std::nullopt;
    }
    return model::ObjectKey{*kind, std::string(name.substr(first + 1, second - first - 1)), std::string(name.substr(second + 1))};
}

std::string place_of(const std::string& source, const model::Object& object) { return source + ": " + object.origin.file; }

model::Diagnostic duplicate_of(const model::Object& object, const std::string& winner) {
    return model::diagnostic_of(model::Severity::warning, object, "", object.key.text() + " is not used: it is in " + winner + ", too");
}

void shorten(std::vector<model::Diagnostic>& diagnostics) {
    if (diagnostics.size() <= kDiagnosticsMax) {
        return;
    }
    std::stable_partition(diagnostics.begin(), diagnostics.end(), [](const model::Diagnostic& d) { return d.severity == model::Severity::error; });
    model::Diagnostic rest;
    rest.severity = diagnostics[kDiagnosticsMax].severity;
    rest.file = diagnostics[kDiagnosticsMax].file;
    rest.message = std::to_string(diagnostics.size() - kDiagnosticsMax) + " more are not shown";
    diagnostics.resize(kDiagnosticsMax);
    diagnostics.push_back(std::move(rest));
}

std::vector<model::ObjectPtr> with_last_good(const model::ParseResult& now, const std::vector<model::ObjectPtr>& last) {
    if (!now.has_errors()) {
        return now.objects;
    }
    std::set<model::ObjectKey> given;
    for (const model::ObjectPtr& object : now.objects) {
        given.insert(object->key);
    }
    std::set<std::string> broken;  // an empty name: what it was about is not known
    for (const model::Diagnostic& d : now.diagnostics) {
        if (d.severity == model::Severity::error) {
            broken.insert(d.name.empty() ? "" : d.kind + "/" + d.ns + "/" + d.name);
        }
    }
    std::vector<model::ObjectPtr> out = now.objects;
    for (const model::ObjectPtr& old : last) {
        if (!given.contains(old->key) && (broken.contains("") || broken.contains(name_of(old->key)))) {
            out.push_back(old);
        }
    }
    return out;
}

}  // namespace penstock::source
