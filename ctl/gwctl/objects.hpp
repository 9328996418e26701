// SPDX-License-Identifier: Apache-2.0
// The objects that the words of get and describe mean.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/gwctl/place.hpp"

namespace penstock::gwctl {

// Of "gateways,svc"; the words were checked.
std::vector<model::Kind> kinds_of(const std::string& words);
// Objects of the kinds in the arguments, of one name or ("") of all.
Result<nlohmann::json> objects_of(const Arguments& arguments, Place& place, const std::string& name);
// "in the namespace shop (-A looks into all)"; "" if all were looked into.
std::string in_namespace(const Arguments& arguments, const Place& place);

}  // namespace penstock::gwctl
