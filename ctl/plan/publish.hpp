// SPDX-License-Identifier: Apache-2.0
// From what the keeper holds to what a snapshot needs: what to put before it is published, and what to drop once the workers serve it.
// Pure: names in, names out. What is held under a right name is never put again, as names carry the content's digest.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "schema/keeper_generated.h"

namespace penstock::plan {

using Item = std::pair<keeper::ItemKind, std::string>;  // as in keeper messages
using Items = std::set<Item>;

struct Publication {
    std::vector<Item> puts;   // in order: sockets, keys, parts, root
    std::vector<Item> drops;  // in reverse: root, parts, keys, sockets
};

// Every item that the snapshot needs; `root` is the name its root is kept under.
[[nodiscard]] Items needed(const compile::Snapshot& snapshot, const std::string& root);

// StatsPage items are the keeper's own and are never touched.
[[nodiscard]] Publication difference(const Items& held, const Items& wanted);

}  // namespace penstock::plan
