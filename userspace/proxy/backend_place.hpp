// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>

#include "userspace/base/ip.hpp"
#include "userspace/tls/backend.hpp"

namespace penstock::proxy {

// Connections that can stand in for each other: to one endpoint, in the clear or over the same TLS context, for one client or for all.
struct BackendPlace {
    Endpoint endpoint;
    std::shared_ptr<const tls::BackendContext> tls = nullptr;  // null: in the clear
    std::optional<Endpoint> client = {};  // whom the backend was told that it speaks to, by the PROXY protocol: nobody else may use it
    bool operator==(const BackendPlace&) const = default;
};

struct BackendPlaceHash {
    std::size_t operator()(const BackendPlace& place) const { return std::hash<Endpoint>()(place.endpoint) ^ std::hash<const void*>()(place.tls.get()) ^ (place.client ? std::hash<Endpoint>()(*place.client) : 0); }
};

}  // namespace penstock::proxy
