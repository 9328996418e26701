// SPDX-License-Identifier: Apache-2.0
// An object's status on the API server with ours in it. What others wrote stays exactly as it is, bit for bit: conditions of types that we do
// not know (in the status itself and in a listener), parents and ancestors of other controllers. What we do not say any more goes. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace penstock::status {

// `theirs`: the status as the server has it (null: none). `ours`: as Book publishes it, times included. The result is a whole status; it
// equals `theirs` if there is nothing to write. A condition of ours that the server has already keeps the server's lastTransitionTime, and has
// `now` (RFC 3339) if its status is another one. Where the CRD has no room for all, ours give way.
nlohmann::json merged(const nlohmann::json& theirs, const nlohmann::json& ours, const std::string& controller, const std::string& now);

// Of a Gateway that no controller serves, as JSON: what the CRD says of one that nobody has looked at yet (default of status.conditions), and
// no addresses.
std::string waiting_status(std::int64_t generation, std::int64_t now_s);

// `theirs` without anything of ours: for an object that is not ours any more.
nlohmann::json without_ours(const nlohmann::json& theirs, const std::string& controller);

}  // namespace penstock::status
