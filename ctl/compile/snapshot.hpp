// SPDX-License-Identifier: Apache-2.0
// The worker's snapshot (schema/snapshot.fbs) before it is put into memory files: immutable parts by name, a root without a
// generation, and the private keys, apart. Nothing here opens a descriptor.
// Invariants: every part key that root, hosts and rules name is in `parts` exactly once; every Certificate.key_id is in `keys`.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "schema/snapshot_generated.h"

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

// A part under its name "kind/key/digest" ("host/...", "certificates/...", "backends/..."), which is also its name in keeper
// messages. Equal names mean equal bytes; the bytes of an unchanged part are the same object as in the previous compilation.
using Parts = std::map<std::string, Bytes>;

struct Snapshot {
    Parts parts;
    // The Root's FlatBuffer, complete but for its generation, which root_bytes() sets. The same object as in the previous
    // compilation if nothing changed: then there is nothing to publish.
    Bytes root;
    std::map<std::string, std::shared_ptr<const Secret>> keys;  // by Certificate.key_id, which depends on the key's content
};

// The root as bytes for the worker.
[[nodiscard]] std::string root_bytes(const Snapshot& snapshot, std::uint64_t generation);

}  // namespace penstock::compile
