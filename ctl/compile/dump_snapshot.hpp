// SPDX-License-Identifier: Apache-2.0
// The worker's snapshot as text, read back from its FlatBuffers: what is shown is what the worker gets.
#pragma once

#include <string>

#include "ctl/compile/snapshot.hpp"

namespace penstock::compile {

[[nodiscard]] std::string dump(const Snapshot& snapshot);

}  // namespace penstock::compile
