// SPDX-License-Identifier: Apache-2.0
// Makes the snapshot's parts: a FlatBuffer each, known by kind, key and the digest of its bytes.
// Invariant: equal content under one key gives an equal digest, and, if the previous compilation had it, the same bytes object.
#pragma once

#include <memory>
#include <string>

#include "ctl/compile/snapshot.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::compile {

namespace fb = penstock::snapshot;

[[nodiscard]] bool same_object(const fb::ObjectRefT& one, const fb::ObjectRefT& other);
[[nodiscard]] fb::Address to_fb(const IpAddress& ip);
[[nodiscard]] fb::Digest digest_of(std::string_view bytes);

// `previous` may be null. If it has equal bytes under this kind and key and object, that part itself is the result.
template <class Table>
PartPtr make_part(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, const typename Table::NativeTableType& content,
                      const Parts* previous);

// The same for bytes that are packed already.
PartPtr make_part_of(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, std::string bytes,
                         const Parts* previous);

template <class Table>
PartPtr make_part(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, const typename Table::NativeTableType& content,
                      const Parts* previous) {
    flatbuffers::FlatBufferBuilder builder(1024);
    builder.Finish(Table::Pack(builder, &content));
    return make_part_of(kind, key, object, {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}, previous);
}

}  // namespace penstock::compile
