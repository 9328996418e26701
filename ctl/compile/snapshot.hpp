// SPDX-License-Identifier: Apache-2.0
// The worker's snapshot (schema/snapshot.fbs) before it is put into memory files: immutable parts by name, a root without a
// generation, and the private keys, apart. Nothing here opens a descriptor.
// Invariants: every part key that root, hosts and rules name is in `parts` exactly once, and so is every part in the lists that the root
// names; every Certificate.key_id is in `keys`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schema/snapshot_generated.h"
#include "userspace/base/piece_map.hpp"

namespace penstock::compile {

using Bytes = std::shared_ptr<const std::string>;  // an immutable FlatBuffer

// A private key in PEM. It cannot be printed, compared by content or converted by accident: say reveal() where it is written out.
class Secret {
public:
    explicit Secret(std::string pem) : pem_(std::move(pem)) {}
    ~Secret();  // overwrites the memory
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    [[nodiscard]] const std::string& reveal() const { return pem_; }

private:
    std::string pem_;
};

// A part as the root refers to it.
struct Part {
    penstock::snapshot::PartKind kind = penstock::snapshot::PartKind::Host;
    std::string key;
    std::string digest;
    std::string name;  // "kind/key/digest", which is also its name in keeper messages
    Bytes bytes;
    penstock::snapshot::ObjectRefT object;
};
using PartPtr = std::shared_ptr<const Part>;

// By "kind/key". A part that did not change is the same object as in the previous compilation.
using Parts = PieceMap<std::string, PartPtr>;

struct Snapshot {
    Parts parts;
    Parts lists;  // of them, by "list/kind/key"
    // The Root's FlatBuffer, complete but for its generation, which root_bytes() sets. The same object as in the previous
    // compilation if nothing changed: then there is nothing to publish.
    Bytes root;
    std::map<std::string, std::shared_ptr<const Secret>> keys;  // by Certificate.key_id, which depends on the key's content
};

// A part or list by its name; null if there is none.
[[nodiscard]] const Part* part_named(const Snapshot& snapshot, std::string_view name);

// The root as bytes for the worker.
[[nodiscard]] std::string root_bytes(const Snapshot& snapshot, std::uint64_t generation);

}  // namespace penstock::compile
