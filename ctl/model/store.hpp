// SPDX-License-Identifier: Apache-2.0
// Store: the objects that there are, by kind, namespace and name. A value: a copy is cheap and stays as it is when the other one changes
// (content is shared but for what one of them wrote since). Keeps no history and knows nothing of where objects come from.
// Invariant: iteration is sorted by kind, namespace, name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "ctl/model/object.hpp"
#include "userspace/base/piece_map.hpp"

namespace penstock::model {

struct ObjectKeyHash {
    std::uint64_t operator()(const ObjectKey& key) const {
        return piece_hash(key.name, piece_hash(key.ns, piece_hash({reinterpret_cast<const char*>(&key.kind), sizeof(key.kind)})) + 1);
    }
};
// For what is kept by object.
template <class Value>
using ObjectMap = PieceMap<ObjectKey, Value, std::less<>, ObjectKeyHash>;

class Store {
public:
    using Map = ObjectMap<ObjectPtr>;
    struct Range {
        Map::const_iterator first;
        Map::const_iterator last;
        [[nodiscard]] Map::const_iterator begin() const { return first; }
        [[nodiscard]] Map::const_iterator end() const { return last; }
        [[nodiscard]] bool empty() const { return first == last; }
    };

    // Puts an object in place of the one of its key.
    void put(ObjectPtr object);
    // Whether there was one.
    bool erase(const ObjectKey& key);

    // Null if there is none.
    [[nodiscard]] ObjectPtr get(const ObjectKey& key) const;
    [[nodiscard]] ObjectPtr get(Kind kind, const std::string& ns, const std::string& name) const { return get({kind, ns, name}); }

    // Iterators are good until this store is written or ends.
    [[nodiscard]] Range of_kind(Kind kind) const;
    [[nodiscard]] Range of_kind(Kind kind, const std::string& ns) const;
    [[nodiscard]] Map::const_iterator begin() const { return map_.begin(); }
    [[nodiscard]] Map::const_iterator end() const { return map_.end(); }
    [[nodiscard]] std::size_t size() const { return map_.size(); }
    [[nodiscard]] bool empty() const { return map_.empty(); }
    [[nodiscard]] const Map& all() const { return map_; }

private:
    Map map_;
};

// The decoded content; null if the object is of another kind.
template <class Spec>
[[nodiscard]] const Spec* body_of(const Object& object) {
    return std::get_if<Spec>(&object.body);
}

}  // namespace penstock::model
