// SPDX-License-Identifier: Apache-2.0
// What keeps the daemon from following an API server, kind by kind, as few troubles: a server that is away is one, not one of each kind.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ctl/daemon/error_book.hpp"
#include "ctl/kubeapi/follower.hpp"

namespace penstock::daemon {

// Kinds with one reason make one trouble; reasons that differ in numbers only (how long was waited) count as one. The largest of several
// kinds is called "follow SERVER", whichever kinds it is of, so that it keeps its name while they come and go. Kinds whose CRDs are missing
// have none.
std::vector<Trouble> follow_troubles(const std::map<model::Kind, kubeapi::KindState>& states, const std::string& server);

}  // namespace penstock::daemon
