// SPDX-License-Identifier: Apache-2.0
// Listening sockets: one per worker slot and port, which share the port by SO_REUSEPORT. Bound whether or not the address is there yet
// (a VIP that another node announces).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ctl/compile/steering.hpp"
#include "userspace/base/fd.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/base/result.hpp"

namespace penstock::apply {

// "tcp/10.0.0.1:443", "udp/[::1]:53": what a snapshot calls a port's sockets. Errc::invalid for anything else.
struct SocketName {
    compile::Transport transport = compile::Transport::tcp;
    Endpoint endpoint;
};
Result<SocketName> parse_socket_name(const std::string& name);

// `slots` sockets, bound and (TCP) listening. All or none. A port that another program has is an error that says so.
Result<std::vector<Fd>> open_sockets(const SocketName& name, std::uint32_t slots);

}  // namespace penstock::apply
