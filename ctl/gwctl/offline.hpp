// SPDX-License-Identifier: Apache-2.0
// What files come to without a daemon. Ages are those of the files, in their order: what stands first is the older.
#pragma once

#include <string>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/gwctl/command.hpp"

namespace penstock::gwctl {

struct Offline {
    model::Store store;
    compile::Options options;
    compile::Compiled compiled;
    bool errors = false;  // in the files; they were told on stderr
};

// For the data path and the node that `arguments` name.
Result<Offline> read_offline(const std::vector<std::string>& paths, const Arguments& arguments);
// The same, and tells on stderr of references to what is not in the files.
Result<Offline> compile_files(const std::vector<std::string>& paths, const Arguments& arguments);

}  // namespace penstock::gwctl
