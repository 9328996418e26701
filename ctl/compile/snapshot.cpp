// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/snapshot.hpp"

#include <algorithm>
#include <cstring>

#include "schema/part_name.hpp"
#include "userspace/base/assert.hpp"

namespace penstock::compile {

namespace fb = penstock::snapshot;

Secret::~Secret() { explicit_bzero(pem_.data(), pem_.size()); }

std::string List::name() const { return fb::list_name(key, digest); }

const Part* part_named(const Snapshot& snapshot, std::string_view name) {
    const std::size_t slash = std::min(name.rfind('/'), name.size());
    const PartPtr* found = snapshot.parts.get(name.substr(0, slash));
    return found != nullptr && fb::hex((*found)->digest) == name.substr(std::min(slash + 1, name.size())) ? found->get() : nullptr;
}

const List* list_named(const Snapshot& snapshot, std::string_view name) {
    constexpr std::string_view kFolder = "list/";
    const std::size_t slash = std::min(name.rfind('/'), name.size());
    const ListPtr* found = name.starts_with(kFolder) && slash >= kFolder.size() ? snapshot.lists.get(name.substr(kFolder.size(), slash - kFolder.size())) : nullptr;
    return found != nullptr && (*found)->name() == name ? found->get() : nullptr;
}

std::string list_bytes(const List& list) {
    std::size_t size = 1024;
    for (const auto& [path, part] : *list.parts) {
        size += part->bytes->size() + part->key.size() + 128;
    }
    flatbuffers::FlatBufferBuilder builder(size);
    std::vector<flatbuffers::Offset<fb::Part>> parts;
    for (const auto& [path, part] : *list.parts) {
        const auto key = builder.CreateString(part->key);
        builder.ForceVectorAlignment(part->bytes->size(), 1, alignof(std::uint64_t));
        const auto bytes = builder.CreateVector(reinterpret_cast<const std::uint8_t*>(part->bytes->data()), part->bytes->size());
        parts.push_back(fb::CreatePart(builder, part->kind, key, &part->digest, bytes));
    }
    builder.Finish(fb::CreatePartList(builder, builder.CreateVector(parts)));
    return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

std::string root_bytes(const Snapshot& snapshot, std::uint64_t generation) {
    PST_ASSERT(snapshot.root != nullptr);
    std::string bytes = *snapshot.root;
    auto* root = flatbuffers::GetMutableRoot<flatbuffers::Table>(bytes.data());
    // The stage writes a generation that is not the default, so the field is there.
    const bool written = root->SetField<std::uint64_t>(penstock::snapshot::Root::VT_GENERATION, generation, 0);
    PST_ASSERT(written || generation == 0);
    return bytes;
}

}  // namespace penstock::compile
