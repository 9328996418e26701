// SPDX-License-Identifier: Apache-2.0
// From text to Value and back. Hostile text is bounded: size, depth, number of nodes (an alias counts as what it stands for).
// YAML as Kubernetes reads it: JSON's types, merge keys, names of members are strings, no tags of one's own, no name twice. "yes" and "no" are strings.
// One bad document does not hide the others: each is split off before it is parsed.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ctl/model/value.hpp"
#include "userspace/base/result.hpp"

namespace penstock::model {

struct TextLimits {
    std::size_t bytes_max = 64UL << 20U;   // of the whole text
    std::size_t documents_max = 100'000;   // the rest of a text with more is not read
    std::size_t nodes_max = 4'000'000;     // of one document, aliases expanded
    int depth_max = 64;
    // Arrays that are members of this name are read past and not kept; JSON only.
    std::string_view leave_out = {};
};

struct TextFault {
    int line = 0;
    std::string message;  // never quotes the text: it may hold secrets
};

// One document of a text: its value or its fault.
struct Document {
    Value value;
    int line = 1;  // of its first line
    std::vector<TextFault> faults;  // not empty: `value` is not to be used
};

// Documents of a text, YAML or JSON; empty ones are left out.
[[nodiscard]] std::vector<Document> parse_documents(std::string_view text, const TextLimits& limits = {});

// One JSON text, as the control API has it.
[[nodiscard]] Result<Value> parse_json(std::string_view text, const TextLimits& limits = {});

// JSON as text; `indent` < 0: on one line. Strings that are not UTF-8 get replacement characters.
[[nodiscard]] std::string to_json_text(const Value& value, int indent = 2);
[[nodiscard]] nlohmann::ordered_json to_json(const Value& value);
[[nodiscard]] Value from_json(const nlohmann::ordered_json& json);

// YAML in block style, ends with a newline. parse_documents() gives the same value back.
[[nodiscard]] std::string to_yaml_text(const Value& value);

}  // namespace penstock::model
