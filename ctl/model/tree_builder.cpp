// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/tree_builder.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <utility>

namespace penstock::model {

void TreeBuilder::fail(int line, std::string message) {
    if (!fault_) {
        fault_ = TextFault{line, std::move(message)};
    }
}

bool TreeBuilder::count(std::size_t nodes, int line) {
    nodes_ += nodes;
    if (nodes_ > limits_.nodes_max) {
        fail(line, "the document has more than " + std::to_string(limits_.nodes_max) + " values, aliases expanded");
    }
    return !failed();
}

void TreeBuilder::begin(bool object, int line) {
    if (failed() || !count(1, line)) {
        return;
    }
    if (wants_name()) {
        fail(line, "the name of a member is not a string");
    } else if (frames_.size() >= static_cast<std::size_t>(limits_.depth_max)) {
        fail(line, "nested deeper than " + std::to_string(limits_.depth_max) + " levels");
    } else {
        frames_.emplace_back();
        frames_.back().object = object;
        frames_.back().line = line;
    }
}

void TreeBuilder::end() {
    if (failed()) {
        return;
    }
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.object) {
        check_names(frame);
        merge_into(frame);
    }
    put_at(frame.object ? Value::object(std::move(frame.members), frame.line) : Value::array(std::move(frame.items), frame.line), 0, frame.line);
}

void TreeBuilder::name(std::string name, int line) {
    if (!failed() && count(1, line)) {
        frames_.back().name = std::move(name);
    }
}

void TreeBuilder::merge(int line) {
    name("<<", line);
    if (!failed()) {
        frames_.back().merging = true;
    }
}

void TreeBuilder::put_at(Value value, std::size_t nodes, int line) {
    if (failed() || !count(nodes, line)) {
        return;
    }
    last_ = value;
    if (frames_.empty()) {
        root_ = std::move(value);
        return;
    }
    Frame& frame = frames_.back();
    if (!frame.object) {
        frame.items.push_back(std::move(value));
    } else if (!frame.name) {
        fail(value.line(), "the name of a member is not a string");
    } else if (std::exchange(frame.merging, false)) {
        frame.merged.push_back(std::move(value));
        frame.name.reset();
    } else {
        frame.members.push_back({std::move(*frame.name), std::move(value)});
        frame.name.reset();
    }
}

void TreeBuilder::check_names(const Frame& frame) {
    constexpr std::size_t kFew = 12;  // then a set costs more than to compare each with each
    const auto& members = frame.members;
    std::unordered_set<std::string_view> seen;
    for (auto member = members.begin(); member != members.end(); ++member) {
        const bool twice = members.size() <= kFew ? std::any_of(members.begin(), member, [&](const Value::Member& one) { return one.name == member->name; })
                                                  : !seen.insert(member->name).second;
        if (twice) {
            fail(member->value.line(), "a member of this name is there already");
            return;
        }
    }
}

// Members of the object itself hide merged ones, the first of a list of merged objects hides the later.
void TreeBuilder::merge_into(Frame& frame) {
    std::unordered_set<std::string> seen;
    if (!frame.merged.empty()) {
        for (const Value::Member& member : frame.members) {
            seen.insert(member.name);
        }
    }
    for (const Value& value : frame.merged) {
        const Value::Array one = {value};
        for (const Value& source : value.type() == Value::Type::array ? value.items() : one) {
            if (source.type() != Value::Type::object) {
                fail(value.line(), "a merge key takes an object or a list of objects");
                return;
            }
            for (const Value::Member& member : source.members()) {
                if (!count(1, value.line())) {
                    return;
                }
                if (seen.insert(member.name).second) {
                    frame.members.push_back(member);
                }
            }
        }
    }
}

}  // namespace penstock::model
