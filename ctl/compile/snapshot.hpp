// SPDX-License-Identifier: Apache-2.0
// The worker's snapshot (schema/snapshot.fbs) before it is put into memory files: immutable parts by name, a root without a
// generation, and the private keys, apart. Nothing here opens a descriptor.
// Invariants: every part key that root, hosts and rules name is in `parts` exactly once, and so is every part in the lists, which the root
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

struct Part {
    penstock::snapshot::PartKind kind = penstock::snapshot::PartKind::Host;
    std::string key;
    penstock::snapshot::Digest digest;
    Bytes bytes;
    penstock::snapshot::ObjectRefT object;
};
using PartPtr = std::shared_ptr<const Part>;

// By "kind/key". A part that did not change is the same object as in the previous compilation.
using Parts = PieceMap<std::string, PartPtr>;

// A piece of the parts as the root refers to it.
struct List {
    std::string key;  // "kind/key" of its first part
    std::string digest;
    Parts::PiecePtr parts;
    // In keeper messages.
    [[nodiscard]] std::string name() const;
};
using ListPtr = std::shared_ptr<const List>;
using Lists = PieceMap<std::string, ListPtr>;  // by key

struct Snapshot {
    Parts parts;
    Lists lists;  // of them
    // The Root's FlatBuffer, complete but for its generation, which root_bytes() sets. The same object as in the previous
    // compilation if nothing changed: then there is nothing to publish.
    Bytes root;
    std::map<std::string, std::shared_ptr<const Secret>> keys;  // by Certificate.key_id, which depends on the key's content
};

// By its name, "kind/key/digest"; null if there is none.
[[nodiscard]] const Part* part_named(const Snapshot& snapshot, std::string_view name);
[[nodiscard]] const List* list_named(const Snapshot& snapshot, std::string_view name);

// The FlatBuffer of a list, with its parts in it. Nobody keeps it: it is what its parts have, once more.
[[nodiscard]] std::string list_bytes(const List& list);

// The root as bytes for the worker.
[[nodiscard]] std::string root_bytes(const Snapshot& snapshot, std::uint64_t generation);

}  // namespace penstock::compile
