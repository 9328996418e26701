// SPDX-License-Identifier: Apache-2.0
// Label selectors: what they select, and how they are written on a command line. Pure.
#pragma once

#include <string_view>

#include "ctl/model/objects.hpp"
#include "userspace/base/result.hpp"

namespace penstock::model {

[[nodiscard]] bool selects(const LabelSelector& selector, const Labels& labels);

// As kubectl's -l: "a=b,c!=d,e,!f,g in (h, i),j notin (k)"; "" selects all.
[[nodiscard]] Result<LabelSelector> parse_selector(std::string_view text);

}  // namespace penstock::model
