// SPDX-License-Identifier: Apache-2.0
// Reads the answer to a request that no client waits for: a mirror's, a collector's.
#pragma once

#include <cstddef>

#include "userspace/proxy/backend_side.hpp"
#include "userspace/ring/loop.hpp"

namespace penstock::proxy {

// The final head. False: there is none, or more than kInterimMax come before it.
ring::Task<bool> read_answer_head(BackendSide& side, ring::Time deadline);
// Whether all of the body came and the connection may be used again; more than `bytes_max` is not read: to close is cheaper.
ring::Task<bool> read_answer_body(BodySource& body, std::size_t bytes_max, ring::Time deadline);

}  // namespace penstock::proxy
