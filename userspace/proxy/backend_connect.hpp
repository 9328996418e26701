// SPDX-License-Identifier: Apache-2.0
// Whose turn it is, and a connection to it.
//
// A connection to one of a set's endpoints: one that is there already, else a new one; an endpoint that refuses is passed over.
#pragma once

#include <optional>

#include "userspace/proxy/context.hpp"
#include "userspace/proxy/endpoint_choice.hpp"

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
    Claim claim;                     // on the endpoint; where it was asked in vain, its health knows
    bool reused = false;
    std::optional<Reason> fault;     // if there is neither
    int error = 0;                   // an errno, where there is one behind the fault
    [[nodiscard]] bool open() { return h2 != nullptr || stream.socket().open(); }
};

// Tries at most three endpoints, each once, and adds those that refuse to wish.failed. One that leaves the set meanwhile is
// passed over like that, too; if it was the last, `error` is kEndpointLeft, and changed_set() has the next. The caller keeps `set` as long as the connection.
ring::Task<BackendConnection> connect_backend(Context& context, std::shared_ptr<const BackendSet> set, Wish& wish, ring::Time deadline);

}  // namespace penstock::proxy
