// SPDX-License-Identifier: Apache-2.0
// Value: an immutable tree, what YAML and JSON have in common, each node with the line it came from. Copies share their content.
// It knows nothing of Kubernetes; texts are read and written in value_text.hpp.
// Invariants: members of an object keep their order, and no two have one name.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace penstock::model {

class Value {
public:
    enum class Type { null, boolean, integer, number, string, array, object };
    struct Member;
    using Array = std::vector<Value>;
    using Members = std::vector<Member>;

    Value() = default;  // null, without a line
    static Value null(int line) { return Value({}, line); }
    static Value boolean(bool value, int line = 0) { return Value(value, line); }
    static Value integer(std::int64_t value, int line = 0) { return Value(value, line); }
    static Value number(double value, int line = 0) { return Value(value, line); }
    static Value string(std::string value, int line = 0);
    static Value array(Array items, int line = 0);
    static Value object(Members members, int line = 0);  // names must differ

    [[nodiscard]] Type type() const { return static_cast<Type>(content_.index()); }
    [[nodiscard]] bool is_null() const { return type() == Type::null; }
    [[nodiscard]] int line() const { return line_; }  // 1 is the first; 0: not from a text

    // The content; null (or an empty list) if the type is another one.
    [[nodiscard]] const bool* as_boolean() const { return std::get_if<bool>(&content_); }
    [[nodiscard]] const std::int64_t* as_integer() const { return std::get_if<std::int64_t>(&content_); }
    [[nodiscard]] const double* as_number() const { return std::get_if<double>(&content_); }
    [[nodiscard]] const std::string* as_string() const;
    [[nodiscard]] const Array& items() const;
    [[nodiscard]] const Members& members() const;

    // A member of an object; null if there is none.
    [[nodiscard]] const Value* find(std::string_view name) const;
    // By names from the outside inwards: find_path({"metadata", "name"}).
    [[nodiscard]] const Value* find_path(std::initializer_list<std::string_view> names) const;

    // This object with one member put in place of the one of that name, or at the end.
    [[nodiscard]] Value with(std::string_view name, Value value) const;
    // This one without that member; as it is, if it has none, an object or not.
    [[nodiscard]] Value without(std::string_view name) const;

    // Same content; lines do not count, the order of members does.
    bool operator==(const Value& other) const;

private:
    // In the order of Type.
    using Content = std::variant<std::monostate, bool, std::int64_t, double, std::shared_ptr<const std::string>,
                                 std::shared_ptr<const Array>, std::shared_ptr<const Members>>;
    Value(Content content, int line) : content_(std::move(content)), line_(line) {}

    Content content_;
    int line_ = 0;
};

struct Value::Member {
    std::string name;
    Value value;
    bool operator==(const Member&) const = default;
};

// "an object", "a number": for messages.
[[nodiscard]] std::string_view type_text(Value::Type type);

}  // namespace penstock::model
