// SPDX-License-Identifier: Apache-2.0
// References to what is not there and that no condition tells of: a route whose Gateway nobody has made, a Gateway of an unknown class.
// On a cluster they may be somebody else's business and are passed over in silence; in files they are most often a slip of the pen.
#pragma once

#include <vector>

#include "ctl/model/decode.hpp"
#include "ctl/model/store.hpp"

namespace penstock::compile {

// Warnings about `object`, with its file and line.
[[nodiscard]] std::vector<model::Diagnostic> dangling(const model::Object& object, const model::Store& store);

}  // namespace penstock::compile
