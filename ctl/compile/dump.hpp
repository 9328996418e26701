// SPDX-License-Identifier: Apache-2.0
// A compilation as short text: tables and conditions, sorted and stable, for people, for `gwctl compile` and for the golden tests.
// Holds no private key: the snapshot carries none. Digests and generations are left out, since they say nothing to a reader.
#pragma once

#include <string>

#include "ctl/compile/compile.hpp"

namespace penstock::compile {

struct DumpOptions {
    bool tables = true;
    bool conditions = true;
};

[[nodiscard]] std::string dump(const Compiled& compiled, const DumpOptions& options = {});

}  // namespace penstock::compile
