// SPDX-License-Identifier: Apache-2.0
// Label selectors: what they select, and how they are written on a command line. Pure.
#pragma once

#include <string>
#include <string_view>

#include "ctl/model/objects.hpp"
#include "userspace/base/result.hpp"

namespace penstock::model {

// What is wrong with it, "matchExpressions[0].operator: ..."; "" if nothing is. No API server looks into a selector.
[[nodiscard]] std::string fault_of(const LabelSelector& selector);

// A selector with a fault selects nothing.
[[nodiscard]] bool selects(const LabelSelector& selector, const Labels& labels);

// As kubectl's -l: "a=b,c!=d,e,!f,g in (h, i),j notin (k)"; "" selects all.
[[nodiscard]] Result<LabelSelector> parse_selector(std::string_view text);

}  // namespace penstock::model
