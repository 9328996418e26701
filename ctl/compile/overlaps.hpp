// SPDX-License-Identifier: Apache-2.0
// Which HTTPS listeners of one port overlap by host names or certificates: a client that has a connection for the one may come to the
// other by it, and is sent away with 421. Listeners that share a Secret do so on purpose and are not told of it.
#pragma once

#include <cstddef>
#include <vector>

#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// Fills Listener.overlapping of the listeners at these indices, which are all of one Gateway.
void find_overlaps(Front& front, const std::vector<std::size_t>& listeners);

}  // namespace penstock::compile
