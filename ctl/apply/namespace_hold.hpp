// SPDX-License-Identifier: Apache-2.0
// One penstockd alone puts and drops addresses in a network namespace: the kernel marks an address as ours by a number that all of us share,
// so two daemons would take each other's away without end.
#pragma once

#include "userspace/base/fd.hpp"
#include "userspace/base/result.hpp"

namespace penstock::apply {

// While the descriptor is open nobody else gets it. An abstract Unix socket: it belongs to the namespace and ends with its process.
// Errc::exists if another daemon, of root or of this user, has it. What a stranger holds under the same name is no hold.
Result<Fd> hold_addresses();

// To be called now and then by the holder: each that asked in vain stands in its queue.
void answer_askers(const Fd& hold);

}  // namespace penstock::apply
