// SPDX-License-Identifier: Apache-2.0
// get --watch: what there is, then each object again when it is another one, and once more when it is gone. Until it is interrupted, or the
// place does not answer.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "ctl/gwctl/place.hpp"

namespace penstock::gwctl {

// What was printed last of each object.
class Watched {
public:
    // Those that are to be printed now, in order.
    std::vector<nlohmann::json> changed(const Place::Seen& seen);

private:
    using Name = std::pair<std::string, std::string>;  // namespace, name
    std::map<Name, nlohmann::json> known_;
};

Result<int> watch_objects(const Arguments& arguments, Place& place);

}  // namespace penstock::gwctl
