// SPDX-License-Identifier: Apache-2.0
// One request's part in a session: which endpoint it asks for, and what the client is told with the answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "userspace/http/headers.hpp"
#include "userspace/proxy/persistence.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

class Session {
public:
    // Without begin() there is none.
    Session() = default;
    // `persistence` and `set` must stay. `secure`: the client came over TLS.
    void begin(const Persistence& persistence, const http::Headers& request, const BackendSet& set, bool secure, std::uint32_t now_s);
    // The endpoint of the set that the client has; null: none, or it is gone.
    [[nodiscard]] const BackendEndpoint* pinned() const { return pinned_; }
    // What the client must be told of who answered, if it does not know; the field's text stays here. An answer of 500 and more pins nobody.
    void tell(http::Headers& response, const BackendEndpoint* answered, int status);

private:
    const Persistence* persistence_ = nullptr;
    std::optional<SessionToken> token_;
    const BackendEndpoint* pinned_ = nullptr;
    bool secure_ = false;
    std::uint32_t now_s_ = 0;
    std::string field_;
};

}  // namespace penstock::proxy
