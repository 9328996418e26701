// SPDX-License-Identifier: Apache-2.0
// A host's rules with what they lead to: backend sets by key, mirrors, sessions. A host without what it leads to is served without it.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

// Null if there is none.
using FindSet = std::function<std::shared_ptr<const BackendSet>(std::string_view key)>;

std::shared_ptr<const Host> bind_host(const Host& unbound, const FindSet& find, const std::shared_ptr<const Seals>& seals);

// Whether it leads to a set that there is not.
[[nodiscard]] bool lacks_sets(const Host& host);
// Whether `gone(set)` holds of a set that it leads to.
[[nodiscard]] bool uses(const Host& host, const std::function<bool(const BackendSet*)>& gone);
[[nodiscard]] bool keeps_sessions(const Host& host);

}  // namespace penstock::proxy
