// SPDX-License-Identifier: Apache-2.0
// Whose turn it is, and a connection to it.
//
// A connection to one of a set's endpoints: from the pool, else a new one; an endpoint that refuses is passed over.
#pragma once

#include <optional>

#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

struct Choice {
    const WeightedBackend* backend = nullptr;  // with a set that has a ready endpoint
    std::optional<Reason> refusal;             // set if there is no backend
};
Choice choose_backend(Context& context, const Rule& rule);

struct BackendConnection {
    ring::Socket socket;
    Endpoint endpoint;
    bool reused = false;
    int error = 0;  // errno of the last attempt if there is no socket; 0 and no socket: the set is empty
};

// Tries at most three endpoints in turn. `fresh`: no kept connection (its predecessor was closed under us).
ring::Task<BackendConnection> connect_backend(Context& context, std::shared_ptr<const BackendSet> set, bool fresh, ring::Time deadline);

}  // namespace penstock::proxy
