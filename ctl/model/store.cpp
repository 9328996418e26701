// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/store.hpp"

namespace penstock::model {

void Store::put(ObjectPtr object) {
    ObjectKey key = object->key;
    map_.set(std::move(key), std::move(object));
}

bool Store::erase(const ObjectKey& key) { return map_.erase(key); }

ObjectPtr Store::get(const ObjectKey& key) const {
    const ObjectPtr* found = map_.get(key);
    return found == nullptr ? nullptr : *found;
}

Store::Range Store::of_kind(Kind kind) const {
    const auto first = map_.lower_bound(ObjectKey{kind, "", ""});
    auto last = first;
    while (last != map_.end() && last->first.kind == kind) {
        ++last;
    }
    return {first, last};
}

Store::Range Store::of_kind(Kind kind, const std::string& ns) const {
    const auto first = map_.lower_bound(ObjectKey{kind, ns, ""});
    auto last = first;
    while (last != map_.end() && last->first.kind == kind && last->first.ns == ns) {
        ++last;
    }
    return {first, last};
}

}  // namespace penstock::model
