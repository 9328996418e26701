// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/value.hpp"

#include <algorithm>

namespace penstock::model {

Value Value::string(std::string value, int line) { return {std::make_shared<const std::string>(std::move(value)), line}; }
Value Value::array(Array items, int line) { return {std::make_shared<const Array>(std::move(items)), line}; }
Value Value::object(Members members, int line) { return {std::make_shared<const Members>(std::move(members)), line}; }

const std::string* Value::as_string() const {
    const auto* text = std::get_if<std::shared_ptr<const std::string>>(&content_);
    return text != nullptr ? text->get() : nullptr;
}

const Value::Array& Value::items() const {
    static const Array none;
    const auto* items = std::get_if<std::shared_ptr<const Array>>(&content_);
    return items != nullptr ? **items : none;
}

const Value::Members& Value::members() const {
    static const Members none;
    const auto* members = std::get_if<std::shared_ptr<const Members>>(&content_);
    return members != nullptr ? **members : none;
}

const Value* Value::find(std::string_view name) const {
    const Members& all = members();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Member& member) { return member.name == name; });
    return found != all.end() ? &found->value : nullptr;
}

const Value* Value::find_path(std::initializer_list<std::string_view> names) const {
    const Value* at = this;
    for (const std::string_view name : names) {
        at = at != nullptr ? at->find(name) : nullptr;
    }
    return at;
}

Value Value::with(std::string_view name, Value value) const {
    Members members = this->members();
    const auto found = std::find_if(members.begin(), members.end(), [&](const Member& member) { return member.name == name; });
    if (found != members.end()) {
        found->value = std::move(value);
    } else {
        members.push_back({std::string(name), std::move(value)});
    }
    return object(std::move(members), line_);
}

Value Value::without(std::string_view name) const {
    if (find(name) == nullptr) {
        return *this;
    }
    Members members = this->members();
    std::erase_if(members, [&](const Member& member) { return member.name == name; });
    return object(std::move(members), line_);
}

bool Value::operator==(const Value& other) const {
    if (type() != other.type()) {
        return false;
    }
    switch (type()) {
        case Type::string: return *as_string() == *other.as_string();
        case Type::array: return items() == other.items();
        case Type::object: return members() == other.members();
        default: return content_ == other.content_;
    }
}

std::string_view type_text(Value::Type type) {
    switch (type) {
        case Value::Type::null: return "null";
        case Value::Type::boolean: return "a boolean";
        case Value::Type::integer:
        case Value::Type::number: return "a number";
        case Value::Type::string: return "a string";
        case Value::Type::array: return "a list";
        case Value::Type::object: return "an object";
    }
    return "nothing";
}

}  // namespace penstock::model
