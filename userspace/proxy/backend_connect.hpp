// SPDX-License-Identifier: Apache-2.0
// A connection to one of a set's endpoints: from the pool, else a new one; an endpoint that refuses is passed over.
#pragma once

#include <vector>

#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

struct BackendConnection {
    ring::Socket socket;
    Endpoint endpoint;
    bool reused = false;
    int error = 0;  // errno of the last attempt if there is no socket; 0 and no socket: the set is empty
};

// Tries at most three endpoints in turn. `fresh`: no kept connection (its predecessor was closed under us).
ring::Task<BackendConnection> connect_backend(Context& context, std::shared_ptr<const BackendSet> set, bool fresh, ring::Time deadline);

}  // namespace penstock::proxy
