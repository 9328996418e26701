// SPDX-License-Identifier: Apache-2.0
// The two readers behind parse_documents(). Internal to the model.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "ctl/model/value_text.hpp"

namespace penstock::model {

// Documents of a YAML text whose first line has this number. What follows a fault of syntax is lost.
[[nodiscard]] std::vector<Document> read_yaml(std::string_view text, int first_line, const TextLimits& limits);

[[nodiscard]] Document read_json(std::string_view text, int first_line, const TextLimits& limits);

}  // namespace penstock::model
