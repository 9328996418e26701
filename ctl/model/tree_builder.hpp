// SPDX-License-Identifier: Apache-2.0
// Builds a Value from the events of a parser, YAML's or JSON's. Counts nodes and depth: past a limit, or after a fault, it ignores
// what follows.
// Invariant: at most one fault is noted, the first.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ctl/model/value_text.hpp"

namespace penstock::model {

class TreeBuilder {
public:
    explicit TreeBuilder(const TextLimits& limits) : limits_(limits) {}

    void begin(bool object, int line);
    void end();
    void name(std::string name, int line);
    void put(Value value) { const int line = value.line(); put_at(std::move(value), 1, line); }
    // A value that was finished before and stands for so many; `line` is where it is used.
    void put_at(Value value, std::size_t nodes, int line);
    void merge(int line);  // the next value is a merge key's
    void fail(int line, std::string message);

    // Whether a name is what comes next.
    [[nodiscard]] bool wants_name() const { return !frames_.empty() && frames_.back().object && !frames_.back().name; }
    [[nodiscard]] bool failed() const { return fault_.has_value(); }
    [[nodiscard]] const std::optional<TextFault>& fault() const { return fault_; }
    [[nodiscard]] std::size_t nodes() const { return nodes_; }
    [[nodiscard]] const std::optional<Value>& root() const { return root_; }
    // The value that was finished last.
    [[nodiscard]] const Value& last() const { return last_; }

private:
    struct Frame {
        bool object = false;
        int line = 0;
        Value::Array items;
        Value::Members members;
        std::optional<std::string> name;
        bool merging = false;
        std::vector<Value> merged;
    };
    bool count(std::size_t nodes, int line);
    void check_names(const Frame& frame);
    void merge_into(Frame& frame);

    TextLimits limits_;
    std::vector<Frame> frames_;
    std::optional<Value> root_;
    Value last_;
    std::optional<TextFault> fault_;
    std::size_t nodes_ = 0;
};

}  // namespace penstock::model
