// SPDX-License-Identifier: Apache-2.0
// The keys that the tokens of session persistence are sealed with: what the files of --session-key hold, the first for new tokens, the
// others to open those of before. A folder stands for its files by their names, hidden ones left out: a mounted Secret. Without any, one that the daemon makes when it starts first and keeps in its state folder
// (session_key): sessions then outlive daemon and workers, but mean nothing to other nodes.
#pragma once

#include <string>
#include <vector>

#include "ctl/compile/compile.hpp"
#include "ctl/daemon/state_dir.hpp"
#include "userspace/base/result.hpp"

namespace penstock::daemon {

Result<std::vector<compile::OwnKey>> session_keys(const StateDir& state, const std::vector<std::string>& paths);

}  // namespace penstock::daemon
