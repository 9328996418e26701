// SPDX-License-Identifier: Apache-2.0
#include "ctl/compile/snapshot.hpp"

#include <cstring>

#include "userspace/base/assert.hpp"

namespace penstock::compile {

Secret::~Secret() { explicit_bzero(pem_.data(), pem_.size()); }

const Part* part_named(const Snapshot& snapshot, std::string_view name) {
    const Parts& parts = name.starts_with("list/") ? snapshot.lists : snapshot.parts;
    const PartPtr* found = parts.get(name.substr(0, name.rfind('/')));
    return found != nullptr && (*found)->name == name ? found->get() : nullptr;
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
