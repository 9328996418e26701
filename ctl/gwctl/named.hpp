// SPDX-License-Identifier: Apache-2.0
// What the words of get, describe and delete name: a kind (get: some kinds) and names, or one KIND/NAME after the other.
#pragma once

#include <string>
#include <vector>

#include "ctl/model/object.hpp"
#include "userspace/base/result.hpp"

namespace penstock::gwctl {

struct Named {
    model::Kind kind = model::Kind::gateway;
    std::string name;  // "": any
    std::string word;  // as the kind was said
};

// `several`: the first word may be more than one kind, by commas. An error is a matter of usage.
Result<std::vector<Named>> named_by(const std::vector<std::string>& words, bool several);

}  // namespace penstock::gwctl
