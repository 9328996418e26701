// SPDX-License-Identifier: Apache-2.0
#include "ctl/source/source.hpp"

#include <algorithm>

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

bool is_about(const model::Diagnostic& diagnostic, const model::ObjectKey& key) {
    return diagnostic.kind == model::kind_name(key.kind) && diagnostic.ns == key.ns && diagnostic.name == key.name;
}

std::vector<model::ObjectPtr> with_last_good(const model::ParseResult& now, const std::vector<model::ObjectPtr>& last) {
    std::vector<model::ObjectPtr> out = now.objects;
    const auto keeps = [&](const model::ObjectKey& key) {
        return std::any_of(now.diagnostics.begin(), now.diagnostics.end(), [&](const model::Diagnostic& d) {
            return d.severity == model::Severity::error && (d.name.empty() || is_about(d, key));
        });
    };
    for (const model::ObjectPtr& old : last) {
        const bool given = std::any_of(now.objects.begin(), now.objects.end(), [&](const auto& object) { return object->key == old->key; });
        if (!given && keeps(old->key)) {
            out.push_back(old);
        }
    }
    return out;
}

}  // namespace penstock::source
