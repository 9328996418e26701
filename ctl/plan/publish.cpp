// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/publish.hpp"

#include <algorithm>

namespace penstock::plan {

namespace {

using keeper::ItemKind;

// The place of a kind in the order of puts.
int rank(ItemKind kind) {
    switch (kind) {
        case ItemKind::Socket: return 0;
        case ItemKind::Key: return 1;
        case ItemKind::Part: return 2;
        case ItemKind::Root: return 3;
        case ItemKind::StatsPage:
        case ItemKind::AccessLog: break;
    }
    return 4;
}

std::vector<Item> only_in(const Items& one, const Items& other) {
    std::vector<Item> result;
    std::copy_if(one.begin(), one.end(), std::back_inserter(result), [&](const Item& item) { return item.first != ItemKind::StatsPage && !other.contains(item); });
    std::stable_sort(result.begin(), result.end(), [](const Item& a, const Item& b) { return rank(a.first) < rank(b.first); });
    return result;
}

}  // namespace

Items needed(const compile::Snapshot& snapshot, const std::string& root) {
    Items items;
    if (snapshot.root == nullptr) {
        return items;
    }
    for (const auto* port : *penstock::snapshot::GetRoot(snapshot.root->data())->ports()) {
        items.emplace(ItemKind::Socket, port->socket()->str());
    }
    for (const auto& [path, part] : snapshot.parts) {
        items.emplace(ItemKind::Part, part->name);
    }
    for (const auto& [name, key] : snapshot.keys) {
        items.emplace(ItemKind::Key, name);
    }
    items.emplace(ItemKind::Root, root);
    return items;
}

Publication difference(const Items& held, const Items& wanted) {
    Publication result{only_in(wanted, held), only_in(held, wanted)};
    std::reverse(result.drops.begin(), result.drops.end());
    return result;
}

}  // namespace penstock::plan
