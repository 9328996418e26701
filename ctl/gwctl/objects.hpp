// SPDX-License-Identifier: Apache-2.0
// The objects that the words of get and describe mean.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "ctl/gwctl/named.hpp"
#include "ctl/gwctl/place.hpp"

namespace penstock::gwctl {

struct Found {
    nlohmann::json items = nlohmann::json::array();
    std::vector<Named> absent;  // were named and are not there
    bool one = false;           // one object was asked for, and is the item
};
// Those that the arguments name; the words were checked. Of several kinds one that the place does not have is told on stderr.
Result<Found> find_objects(const Arguments& arguments, Place& place);
// Tells on stderr of each that is not there.
void tell_absent(const Found& found, const std::string& where);
// "in the namespace shop (-A looks into all)"; "" if all were looked into.
std::string in_namespace(const Arguments& arguments, const Place& place);

}  // namespace penstock::gwctl
