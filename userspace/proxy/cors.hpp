// SPDX-License-Identifier: Apache-2.0
// Cross-origin requests (Gateway API GEP-1767, Fetch 3.2) of one rule: preflights are answered here and never reach a backend; answers to
// actual requests say who may read them. What the backend says about it is taken away. Pure, on heads.
// An allowed origin is always echoed, never "*": legal everywhere, and the only form that credentials allow.
#pragma once

#include <string>
#include <string_view>

#include "userspace/match/origins.hpp"
#include "userspace/proxy/heads.hpp"

namespace penstock::proxy {

class Cors {
public:
    // `filter` must stay.
    explicit Cors(const fb::Cors& filter);

    // The request's Origin if it is allowed, else empty.
    [[nodiscard]] std::string_view allowed_origin(const http::RequestHead& head) const;
    // The answer to a preflight; `origin` is allowed. Its fields refer to the request, to this and to `answer`.
    void answer_preflight(Answer& answer, const http::RequestHead& head, std::string_view origin) const;
    // Of an actual request, whoever answers it. `origin`: empty if none is allowed. The fields refer to it, to `exposed` and to this.
    void edit_response(http::Headers& headers, std::string_view origin, std::string& exposed) const;

private:
    using Names = flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>;
    struct List {
        bool any = false;  // "*"
        std::string text;
    };
    static List joined(const Names* values);

    const fb::Cors& filter_;
    match::Origins origins_;
    List methods_, headers_, exposed_;
    std::string max_age_;
};

// What the answers to one request need.
struct CorsReply {
    const Cors* cors = nullptr;
    std::string origin = {};  // allowed; empty: none is
    std::string exposed = {};
};

}  // namespace penstock::proxy
