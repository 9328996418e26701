// SPDX-License-Identifier: Apache-2.0
// Tables of the snapshot are read where their bytes are. What may be absent there reads as empty.
#pragma once

#include <string>
#include <string_view>

#include "schema/snapshot_generated.h"

namespace penstock::snapshot {

inline std::string_view text(const flatbuffers::String* string) { return string != nullptr ? string->string_view() : std::string_view(); }
inline std::string string_of(const flatbuffers::String* string) { return std::string(text(string)); }

template <class Entry>
const flatbuffers::Vector<Entry>& each(const flatbuffers::Vector<Entry>* list) {
    static constexpr flatbuffers::uoffset_t kEmpty = 0;  // the bytes of a vector are its length, then its entries
    return list != nullptr ? *list : *reinterpret_cast<const flatbuffers::Vector<Entry>*>(&kEmpty);
}

// "HTTPRoute shop/cart", for people
inline std::string name_of(const ObjectRef& object) { return object.kind()->str() + " " + object.namespace_()->str() + "/" + object.name()->str(); }
// "HTTPRoute/shop/cart", for machines
inline std::string path_of(const ObjectRef& object) { return object.kind()->str() + "/" + object.namespace_()->str() + "/" + object.name()->str(); }

}  // namespace penstock::snapshot
