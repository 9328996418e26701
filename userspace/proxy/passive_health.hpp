// SPDX-License-Identifier: Apache-2.0
// Endpoints that fail are left out for a while: after so many failures in a row for eject_ms, each further time twice as long, up to ten
// times eject_ms. When the time is up one more failure ejects it again; a success forgets everything. How an exchange ends that began
// before an ejection changes nothing. All threads of a worker see the same state.
#pragma once

#include "userspace/proxy/shared_page.hpp"
#include "userspace/proxy/tables.hpp"
#include "userspace/ring/timer.hpp"

namespace penstock::proxy {

[[nodiscard]] bool is_ejected(const EndpointState& state, ring::Time now);

// Ejects it where that is due, unless the set's share of ejected endpoints is reached (one may always be) or it is the last one left.
void note_failure(SharedPage& shared, const BackendSet& set, const BackendEndpoint& endpoint, ring::Time now);
// `now` if it did well the last time.
[[nodiscard]] ring::Time failing_since(SharedPage& shared, const BackendEndpoint& endpoint, ring::Time now);
void note_success(SharedPage& shared, const BackendEndpoint& endpoint, ring::Time now);

}  // namespace penstock::proxy
