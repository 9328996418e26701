// SPDX-License-Identifier: Apache-2.0
// An endpoint can die before the tables say so: a pod is killed at the moment that the API server is told of it, and its EndpointSlice
// follows some tens of milliseconds later. Who lost it, or was refused by it, waits that long for the tables to change. Nobody answers, nor refuses,
// once the pod's network is gone: who still connects to it then is told when the tables change.
#pragma once

#include <cerrno>
#include <memory>

#include "userspace/proxy/context.hpp"
#include "userspace/proxy/endpoint_choice.hpp"

namespace penstock::proxy {

// The set as the tables have it now; null: they have it no more.
std::shared_ptr<const BackendSet> newest(const Context& context, const BackendSet& set);

// A later version of the set that has an endpoint which did not fail this request, as those in `wish.failed` did; null if none comes until
// `deadline`, or until the last that failed has done so for context.change_wait, without a success between. With `gone` the last
// that failed must have left it: one that crashed under a request, but stays, is no reason to ask others.
// Runs in the caller's scope; the caller keeps `set` and `wish`.
ring::Task<std::shared_ptr<const BackendSet>> changed_set(Context& context, const BackendSet& set, const Wish& wish, bool gone, ring::Time deadline);

// What a connection to an endpoint ends with that is not in its set any more. No failure of the endpoint's: it was asked too late.
inline constexpr int kEndpointLeft = ESTALE;

// Whether the set as the tables have it now has others, and not this endpoint. One that is there no more, or is empty, tells nothing: what began
// may end well.
bool has_left(const Context& context, const BackendSet& set, const Endpoint& address);

// A connection to an endpoint that is being made, in this scope: it ends with kEndpointLeft when the endpoint leaves the set. The caller keeps
// `context` and `set`.
class Dialling final : public TablesWatcher {
public:
    Dialling(Context& context, const BackendSet& set, const Endpoint& address, ring::Scope& parent);
    ~Dialling() { unlink(); }
    void tables_changed() override;
    ring::Scope scope;

private:
    Context& context_;
    const BackendSet& set_;
    const Endpoint address_;
};

}  // namespace penstock::proxy
