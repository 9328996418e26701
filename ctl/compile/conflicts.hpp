// SPDX-License-Identifier: Apache-2.0
// Which listeners of one Gateway cannot stand beside each other. On a port and transport all listeners speak one of: plain HTTP, TLS
// (HTTPS and TLS, told apart by SNI), TCP, UDP; and each host name is there once. Among the Gateway's own nobody wins; a
// ListenerSet's listener loses to those before it.
#pragma once

#include "ctl/compile/listeners.hpp"

namespace penstock::compile {

// Marks the losers: refused and conflicted. `order` is the Gateway's own listeners, then its sets' in order of precedence.
void find_conflicts(Front& front, const std::vector<std::size_t>& order);

// What the owner of `listener` may read of the other one: names of other tenants' sets stay hidden.
[[nodiscard]] std::string name_for(const Listener& listener, const Listener& other);

}  // namespace penstock::compile
