// SPDX-License-Identifier: Apache-2.0
// How penstockd comes to live under a keeper: started by hand it becomes `penstock-keeper ... -- penstockd ...`, found beside its own
// binary, and the keeper starts it again with a socket to itself.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ctl/daemon/options.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

// The socket to the keeper that started us, close-on-exec from now on; none if nobody did. A variable that names no socket is an error.
Result<std::optional<Fd>> inherited_keeper();

// argv of the keeper that shall start `self` with `arguments` (without argv[0]).
std::vector<std::string> keeper_command(const std::string& self, const std::vector<std::string>& arguments, const Options& options);

// Replaces this process. Returns only on failure.
Error become_keeper(int argc, const char* const* argv, const Options& options);

}  // namespace penstock::daemon
