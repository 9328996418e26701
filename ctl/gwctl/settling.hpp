// SPDX-License-Identifier: Apache-2.0
// Whether the controllers of an object that was applied to a cluster have had their say, and what of it is not good. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace penstock::gwctl {

// Nothing while somebody's word on this generation is still to come: on the object, or of a route on each Gateway and ListenerSet that
// it names. Else the conditions that are not good, for not_good_table(). What others said of parents that it names no more, and
// conditions of types that we do not know, count for nothing.
std::optional<nlohmann::json> not_good_of(const nlohmann::json& object);

}  // namespace penstock::gwctl
