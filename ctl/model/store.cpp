// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/store.hpp"

namespace penstock::model {

Store::Map& Store::own() {
    if (map_.use_count() != 1) {
        map_ = std::make_shared<Map>(*map_);
    }
    return *map_;
}

void Store::put(ObjectPtr object) {
    const ObjectKey key = object->key;
    own().insert_or_assign(key, std::move(object));
}

bool Store::erase(const ObjectKey& key) { return map_->contains(key) && own().erase(key) == 1; }

ObjectPtr Store::get(const ObjectKey& key) const {
    const auto found = map_->find(key);
    return found == map_->end() ? nullptr : found->second;
}

Store::Range Store::of_kind(Kind kind) const {
    const auto first = map_->lower_bound({kind, "", ""});
    auto last = first;
    while (last != map_->end() && last->first.kind == kind) {
        ++last;
    }
    return {first, last};
}

Store::Range Store::of_kind(Kind kind, const std::string& ns) const {
    const auto first = map_->lower_bound({kind, ns, ""});
    auto last = first;
    while (last != map_->end() && last->first.kind == kind && last->first.ns == ns) {
        ++last;
    }
    return {first, last};
}

}  // namespace penstock::model
