// SPDX-License-Identifier: Apache-2.0
// Makes the snapshot's parts: a FlatBuffer each, named by kind, key and the digest of its bytes.
// Invariant: equal content under one key gives an equal name, and, if the previous compilation had it, the same bytes object.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "ctl/compile/snapshot.hpp"
#include "userspace/base/ip.hpp"

namespace penstock::compile {

namespace fb = penstock::snapshot;

// A part as the root refers to it.
struct MadePart {
    fb::PartKind kind = fb::PartKind::Host;
    std::string key;
    std::string digest;
    std::string name;  // "kind/key/digest"
    Bytes bytes;
    fb::ObjectRefT object;
};
using MadePartPtr = std::shared_ptr<const MadePart>;

// By kind and key.
using MadeParts = std::map<std::pair<fb::PartKind, std::string>, MadePartPtr>;

[[nodiscard]] fb::Address to_fb(const IpAddress& ip);
[[nodiscard]] std::string digest_of(std::string_view bytes);  // 32 hex digits of XXH3-128

// `previous` may be null. If it has equal bytes under this kind and key and object, that part itself is the result.
template <class Table>
MadePartPtr make_part(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, const typename Table::NativeTableType& content,
                      const MadeParts* previous);

// The same for bytes that are packed already.
MadePartPtr make_part_of(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, std::string bytes,
                         const MadeParts* previous);

template <class Table>
MadePartPtr make_part(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, const typename Table::NativeTableType& content,
                      const MadeParts* previous) {
    flatbuffers::FlatBufferBuilder builder(1024);
    builder.Finish(Table::Pack(builder, &content));
    return make_part_of(kind, key, object, {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()}, previous);
}

}  // namespace penstock::compile
