// SPDX-License-Identifier: Apache-2.0
// Room for the backend's side of one attempt after the other, whatever version of HTTP it speaks.
#pragma once

#include <optional>

#include "userspace/proxy/h1_backend.hpp"
#include "userspace/proxy/h2_backend.hpp"

namespace penstock::proxy {

class BackendSlot {
public:
    // The side of an open connection; the one before is gone.
    BackendSide& take(Context& context, BackendConnection connection, const http::Limits& limits) {
        if (connection.h2 != nullptr) {
            return h2_.emplace(context.loop, std::move(connection.h2), connection.place.tls != nullptr);
        }
        return h1_.emplace(context, std::move(connection), limits);
    }

private:
    std::optional<H1Backend> h1_;
    std::optional<H2Backend> h2_;
};

}  // namespace penstock::proxy
