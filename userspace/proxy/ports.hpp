// SPDX-License-Identifier: Apache-2.0
// What happens to a connection that a listening port accepted, by the port's mode in the tables of that moment.
#pragma once

#include <string>

#include "userspace/proxy/context.hpp"

namespace penstock::proxy {

// Serves one accepted connection of the port `socket` (its name in the tables) until it ends. `context` outlives it.
ring::Task<> serve_connection(Context& context, std::string socket, ring::Socket client);

// Serves the datagrams of the port `socket` until the scope it runs in is cancelled.
ring::Task<> serve_datagrams(Context& context, std::string socket, ring::Port port);

}  // namespace penstock::proxy
