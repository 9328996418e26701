// SPDX-License-Identifier: Apache-2.0
#include "ctl/plan/publish.hpp"

#include <algorithm>

namespace penstock::plan {

namespace {

using keeper::ItemKind;

// What a snapshot needs but lists, in the order of puts: the root comes last, lists before it.
std::vector<Item> needed(const compile::Snapshot& snapshot) {
    std::vector<Item> items;
    if (snapshot.root == nullptr) {
        return items;
    }
    for (const auto* port : *penstock::snapshot::GetRoot(snapshot.root->data())->ports()) {
        items.emplace_back(ItemKind::Socket, port->socket()->str());
    }
    for (const auto& [name, key] : snapshot.keys) {
        items.emplace_back(ItemKind::Key, name);
    }
    return items;
}

// The held items of a kind.
template <class Visit>
void for_kind(const Items& held, ItemKind kind, const Visit& visit) {
    for (auto item = held.lower_bound({kind, ""}); item != held.end() && item->first == kind; ++item) {
        visit(*item);
    }
}

}  // namespace

std::vector<Item> puts(const Items& held, const compile::Snapshot& shipped, const compile::Snapshot& wanted, const std::string& root) {
    std::vector<Item> items = needed(wanted);
    compile::Lists::diff(shipped.lists, wanted.lists, [&](const auto* /*before*/, const auto* after) {
        if (after != nullptr) {
            items.emplace_back(ItemKind::Parts, after->second->name());
        }
    });
    if (wanted.root != nullptr) {
        items.emplace_back(ItemKind::Root, root);
    }
    std::erase_if(items, [&](const Item& item) { return held.contains(item); });
    return items;
}

std::vector<Item> drops(const Items& held, const std::set<std::string>& idle, const compile::Snapshot& wanted, const std::string& root) {
    std::vector<Item> items;
    const auto add = [&](const Item& item) { items.push_back(item); };
    for_kind(held, ItemKind::Root, [&](const Item& item) {
        if (item.second != root) {
            add(item);
        }
    });
    for (const std::string& name : idle) {
        if (compile::list_named(wanted, name) == nullptr && held.contains({ItemKind::Parts, name})) {
            add({ItemKind::Parts, name});
        }
    }
    const std::vector<Item> others = needed(wanted);
    const std::set<Item> kept(others.begin(), others.end());
    for (const ItemKind kind : {ItemKind::Key, ItemKind::Socket}) {
        for_kind(held, kind, [&](const Item& item) {
            if (!kept.contains(item)) {
                add(item);
            }
        });
    }
    return items;
}

void note_idle(const compile::Snapshot& shipped, const compile::Snapshot& wanted, std::set<std::string>& idle) {
    compile::Lists::diff(shipped.lists, wanted.lists, [&](const auto* before, const auto* /*after*/) {
        if (before != nullptr) {
            idle.insert(before->second->name());
        }
    });
}

std::set<std::string> idle_lists(const Items& held, const compile::Snapshot& wanted) {
    std::set<std::string> idle;
    for_kind(held, ItemKind::Parts, [&](const Item& item) {
        if (compile::list_named(wanted, item.second) == nullptr) {
            idle.insert(item.second);
        }
    });
    return idle;
}

}  // namespace penstock::plan
