// SPDX-License-Identifier: Apache-2.0
#include "ctl/daemon/dangling_book.hpp"

#include <utility>

#include "ctl/compile/dangling.hpp"

namespace penstock::daemon {

namespace {

// What references that are looked at lead to.
bool is_referred_to(model::Kind kind) { return kind == model::Kind::gateway_class || kind == model::Kind::gateway || kind == model::Kind::listener_set; }

}  // namespace

void DanglingBook::look_at(const model::ObjectKey& key, const model::Store& store, const Counts& counts) {
    const model::ObjectPtr object = counts(key) ? store.get(key) : nullptr;
    std::vector<model::Diagnostic> told = object != nullptr ? compile::dangling(*object, store) : std::vector<model::Diagnostic>();
    if (told.empty()) {
        all_.erase(key);
    } else {
        all_[key] = std::move(told);
    }
}

void DanglingBook::update(const model::Store& before, const model::Store& now, const Counts& counts) {
    std::vector<model::ObjectKey> changed;
    bool all = false;
    model::Store::Map::diff(before.all(), now.all(), [&](const auto* old, const auto* object) {
        const model::ObjectKey& key = (old != nullptr ? old : object)->first;
        changed.push_back(key);
        all = all || (is_referred_to(key.kind) && (old == nullptr || object == nullptr));
    });
    if (all) {
        all_.clear();
        for (const auto& [key, object] : now) {
            look_at(key, now, counts);
        }
        return;
    }
    for (const model::ObjectKey& key : changed) {
        look_at(key, now, counts);
    }
}

}  // namespace penstock::daemon
