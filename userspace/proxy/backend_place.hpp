// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "userspace/base/ip.hpp"
#include "userspace/tls/backend.hpp"

namespace penstock::proxy {

// Connections that can stand in for each other: to one endpoint, in the clear or over the same TLS context.
struct BackendPlace {
    Endpoint endpoint;
    std::shared_ptr<const tls::BackendContext> tls;  // null: in the clear
    bool operator==(const BackendPlace&) const = default;
};

struct BackendPlaceHash {
    std::size_t operator()(const BackendPlace& place) const { return std::hash<Endpoint>()(place.endpoint) ^ std::hash<const void*>()(place.tls.get()); }
};

}  // namespace penstock::proxy
