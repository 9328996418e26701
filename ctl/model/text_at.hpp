// SPDX-License-Identifier: Apache-2.0
// A string out of an object that somebody else wrote: what is not there, or is no string, reads as nothing.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "ctl/model/value.hpp"

namespace penstock::model {

// The string at a path; "" if there is none.
[[nodiscard]] inline std::string text_at(const Value& of, std::initializer_list<std::string_view> path) {
    const Value* found = of.find_path(path);
    return found != nullptr && found->as_string() != nullptr ? *found->as_string() : std::string();
}

}  // namespace penstock::model
