// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/parts.hpp"

#include <xxhash.h>

#include <array>

#include "schema/part_name.hpp"

namespace penstock::compile {
namespace {

bool same_object(const fb::ObjectRefT& one, const fb::ObjectRefT& other) {
    return one.kind == other.kind && one.namespace_ == other.namespace_ && one.name == other.name;
}

}  // namespace

fb::Address to_fb(const IpAddress& ip) {
    const flatbuffers::span<const std::uint8_t, 16> bytes(ip.bytes.data(), ip.bytes.size());
    return {bytes, static_cast<std::uint8_t>(ip.family)};
}

std::string digest_of(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    out.reserve(32);
    for (const std::uint64_t half : {hash.high64, hash.low64}) {
        for (int shift = 60; shift >= 0; shift -= 4) {
            out.push_back(kDigits[(half >> shift) & 15]);
        }
    }
    return out;
}

MadePartPtr make_part_of(fb::PartKind kind, const std::string& key, const fb::ObjectRefT& object, std::string bytes,
                         const MadeParts* previous) {
    if (previous != nullptr) {
        const auto found = previous->find({kind, key});
        if (found != previous->end() && *found->second->bytes == bytes && same_object(found->second->object, object)) {
            return found->second;
        }
    }
    auto part = std::make_shared<MadePart>();
    part->kind = kind;
    part->key = key;
    part->digest = digest_of(bytes);
    part->name = fb::part_path(kind, key) + "/" + part->digest;
    part->bytes = std::make_shared<const std::string>(std::move(bytes));
    part->object = object;
    return part;
}

}  // namespace penstock::compile
