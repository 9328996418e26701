// SPDX-License-Identifier: Apache-2.0
// How one object's generation stands with the nodes that live, and what a status says of that. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/status/node_report.hpp"

namespace penstock::status {

struct Stand {
    std::size_t nodes = 1;                                         // that live, the writer's own among them
    std::vector<std::string> behind;                               // have not taken it
    std::map<std::string, std::vector<Refusal>> refused;           // took it but for these
    std::map<std::string, IpAddress> needed;                       // of those behind, who has an address of it that nobody else has
    std::vector<IpAddress> nowhere;                                // its addresses that no node has
    bool operator==(const Stand&) const = default;
};

// The condition Programmed of a status or of one of its listeners; null: it has none.
const nlohmann::json* programmed_of(const nlohmann::json& status);
// Whether it says Programmed, as a whole.
bool stands(const nlohmann::json& status);
// Whether it says that no node has an address of it.
bool is_unassigned(const nlohmann::json& status);
// Whether it says that something is programmed: else there is nothing to agree on.
bool says_programmed(const nlohmann::json& status);
// Whether the server has the outcome of this generation.
bool was_told(const nlohmann::json& server, std::int64_t generation);

// `wanted` with what the nodes have to say.
nlohmann::json edited(const std::string& object, const nlohmann::json& wanted, std::int64_t generation, const Stand& at);
// `wanted`, while nodes are waited for. One that is Pending on the server already goes on with what it says there.
nlohmann::json pending(const std::string& object, const nlohmann::json& wanted, const nlohmann::json& server, std::int64_t generation);

}  // namespace penstock::status
