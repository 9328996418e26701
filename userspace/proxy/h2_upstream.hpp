// SPDX-License-Identifier: Apache-2.0
// A connection of HTTP/2 to a backend.
#pragma once

#include "userspace/proxy/h2_link.hpp"

namespace penstock::proxy {

class H2Upstream final : private http::H2SessionEvents {
public:
    H2Upstream(Context& context, Stream stream);

    ring::Task<> run() { return link_.run({}); }
    [[nodiscard]] bool can_open() const { return !gone_ && !link_.ended() && link_.session().can_open(); }
    [[nodiscard]] H2Link& link() { return link_; }
    void leave() {
        link_.session().drain_now();
        link_.wake();
    }

private:
    void on_goaway(std::uint32_t) override { gone_ = true; }

    http::H2Settings settings_;
    H2Link link_;
    bool gone_ = false;
};

}  // namespace penstock::proxy
