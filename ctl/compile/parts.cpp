// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/parts.hpp"

#include <xxhash.h>

#include "schema/part_name.hpp"

namespace penstock::compile {

bool same_object(const fb::ObjectRefT& one, const fb::ObjectRefT& other) {
    return one.kind == other.kind && one.namespace_ == other.namespace_ && one.name == other.name;
}

fb::Address to_fb(const IpAddress& ip) {
    const flatbuffers::span<const std::uint8_t, 16> bytes(ip.bytes.data(), ip.bytes.size());
    return {bytes, static_cast<std::uint8_t>(ip.family)};
}

fb::Digest digest_of(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.high64, hash.low64};
}

PartPtr make_part_of(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, std::string bytes,
                         const Parts* previous) {
    const std::string path = fb::part_path(kind, key);
    const PartPtr* before = previous != nullptr ? previous->get(path) : nullptr;
    if (before != nullptr && *(*before)->bytes == bytes && same_object((*before)->object, object)) {
        return *before;
    }
    auto part = std::make_shared<Part>();
    part->kind = kind;
    part->key = key;
    part->digest = digest_of(bytes);
    part->bytes = std::make_shared<const std::string>(std::move(bytes));
    part->object = object;
    return part;
}

}  // namespace penstock::compile
