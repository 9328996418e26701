// SPDX-License-Identifier: Apache-2.0
// From what the keeper holds to what a snapshot needs: what to put before it is published, and what to drop once the workers serve it.
// Pure: names in, names out. What is held under a right name is never put again, as names carry the content's digest.
// Snapshots share what did not change, so what was put for one need not be looked at again for the next.
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

// In order: sockets, keys, lists of parts, root. All that `shipped` needs is held already; without a root it needs nothing. `root` is the name that
// the root is kept under.
[[nodiscard]] std::vector<Item> puts(const Items& held, const compile::Snapshot& shipped, const compile::Snapshot& wanted, const std::string& root);

// In reverse: root, lists, keys, sockets. Of lists only those among `idle`, names of held ones that some snapshot did not need.
// Items of the keeper's own are never touched.
[[nodiscard]] std::vector<Item> drops(const Items& held, const std::set<std::string>& idle, const compile::Snapshot& wanted, const std::string& root);

// Adds to `idle` what `shipped` needed and `wanted` does not.
void note_idle(const compile::Snapshot& shipped, const compile::Snapshot& wanted, std::set<std::string>& idle);
// All held lists that `wanted` does not need: where it is not known what was shipped before.
[[nodiscard]] std::set<std::string> idle_lists(const Items& held, const compile::Snapshot& wanted);

}  // namespace penstock::plan
