// SPDX-License-Identifier: Apache-2.0
// Where a request goes: the listener by the port it came in on and its host, then the rule by the routes there. Pure.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "schema/reasons.hpp"
#include "userspace/http/message.hpp"
#include "userspace/proxy/client_side.hpp"
#include "userspace/proxy/tables.hpp"

namespace penstock::proxy {

struct Route {
    std::shared_ptr<const Host> host;  // owns the rule
    const Listener* listener = nullptr;  // also of a request that no rule takes
    const Rule* rule = nullptr;
    const fb::Match* match = nullptr;
    bool preflight = false;            // the request asks for permission of another one
    std::optional<Reason> refusal;     // set if there is no rule
};

// `path`: normalised, of `head`. What is found stays as long as `tables`.
Route find_route(const Tables& tables, const ClientFacts& client, const http::RequestHead& head, std::string_view path);

}  // namespace penstock::proxy
