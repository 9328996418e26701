// SPDX-License-Identifier: Apache-2.0
// What the worker takes from itself before a stranger's byte reaches it. The keeper has already given it a user without privileges.
#pragma once

#include "userspace/base/result.hpp"

namespace penstock::worker {

// For all threads of this process and for good: no new privileges, no core dump and no tracer (keys lie in memory), and of the system
// calls only those that serving takes. The rest fail with EPERM: writing files, making processes and threads, executable memory, sockets
// that are not of IP, and rings, whose entries the filter would not see (userspace/ring restricts those that are there). Files that everyone
// may read can be read: the system's certificate authorities are.
// Call it when threads and rings stand. An error: the kernel has no filters, or this process may not set one; nothing is promised then.
Status confine();

}  // namespace penstock::worker
