// SPDX-License-Identifier: Apache-2.0
// What the keeper keeps: descriptors by kind and name, and which root is published. It never looks into one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "schema/keeper_wire.hpp"
#include "userspace/base/fd.hpp"

namespace penstock::keeper {

using Descriptors = std::shared_ptr<const std::vector<Fd>>;  // shared with messages that still wait to be sent

struct Published {
    std::uint64_t generation = 0;  // 0: nothing yet
    std::string root;              // name of the Root item
    std::uint32_t drain_ms = 0;    // 0: as the keeper was told at its start
};

class Items {
public:
    using Name = std::pair<ItemKind, std::string>;

    // Replaces what is there under that name.
    void put(ItemKind kind, const std::string& name, Descriptors descriptors) { items_[{kind, name}] = std::move(descriptors); }
    // The only one of its kind.
    void put_one(ItemKind kind, Fd fd) {
        auto descriptors = std::make_shared<std::vector<Fd>>();
        descriptors->push_back(std::move(fd));
        put(kind, "", std::move(descriptors));
    }
    void drop(ItemKind kind, const std::string& name) { items_.erase({kind, name}); }
    void drop_all(ItemKind kind) {
        std::erase_if(items_, [kind](const auto& item) { return item.first.first == kind; });
    }
    [[nodiscard]] bool has(ItemKind kind, const std::string& name) const { return items_.contains({kind, name}); }
    [[nodiscard]] const std::map<Name, Descriptors>& all() const { return items_; }

    Published published;

private:
    std::map<Name, Descriptors> items_;
};

}  // namespace penstock::keeper
