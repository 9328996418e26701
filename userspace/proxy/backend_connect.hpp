// SPDX-License-Identifier: Apache-2.0
// Whose turn it is, and a connection to it.
//
// A connection to one of a set's endpoints: one that is there already, else a new one; an endpoint that refuses is passed over.
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
    Stream stream;                   // of its own, or
    std::shared_ptr<H2Upstream> h2;  // shared
    BackendPlace place;
    bool reused = false;
    std::optional<Reason> fault;     // if there is neither
    [[nodiscard]] bool open() { return h2 != nullptr || stream.socket().open(); }
};

// Tries at most three endpoints in turn. `fresh`: no kept connection (its predecessor was closed under us).
ring::Task<BackendConnection> connect_backend(Context& context, std::shared_ptr<const BackendSet> set, bool fresh, ring::Time deadline);

}  // namespace penstock::proxy
