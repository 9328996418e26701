// SPDX-License-Identifier: Apache-2.0
// What a plain YAML scalar means: the core schema, of which JSON's values are a part. A number with leading zeros, "yes" and "no" are
// strings: readers of YAML 1.1 and 1.2 differ about them, so a field that wants a number or a boolean refuses them.
#pragma once

#include <string>

#include "ctl/model/value.hpp"

namespace penstock::model {

[[nodiscard]] Value plain_scalar(const std::string& text, int line);

}  // namespace penstock::model
