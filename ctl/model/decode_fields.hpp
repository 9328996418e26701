// SPDX-License-Identifier: Apache-2.0
// The machine behind the decoding tables: one Table per struct says its fields, which are required, which checks they must pass, and the
// rules between them. Tables are found by table_of(const T*), which stands beside each. Internal to the model.
// A check takes the member and gives "" or what is wrong with it; a null in the text counts as absent, as on an API server.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ctl/model/boxed.hpp"
#include "ctl/model/decode_context.hpp"
#include "ctl/model/formats.hpp"

namespace penstock::model {

template <class T>
struct Field {
    std::string_view name;
    bool required = false;
    std::function<void(const At&, const Value&, T&)> read;
};

template <class T>
struct Table {
    std::vector<Field<T>> fields;
    std::vector<void (*)(const At&, const T&)> rules;  // run if every field could be read, whether it passed its checks or not
    std::vector<std::string_view> ignored;             // fields that exist and do not concern us
};

// --- readers: false after an error ---

bool read_value(const At& at, const Value& value, std::string& out);
bool read_value(const At& at, const Value& value, bool& out);
bool read_value(const At& at, const Value& value, std::int32_t& out);
bool read_value(const At& at, const Value& value, std::int64_t& out);
bool read_value(const At& at, const Value& value, std::uint32_t& out);  // a duration (GEP-2257), in milliseconds
bool read_value(const At& at, const Value& value, std::map<std::string, std::string>& out);

template <class T>
bool read_value(const At& at, const Value& value, std::optional<T>& out);
template <class T>
bool read_value(const At& at, const Value& value, Boxed<T>& out);
template <class T>
bool read_value(const At& at, const Value& value, std::vector<T>& out);
template <class T>
    requires requires { table_of(static_cast<const T*>(nullptr)); }
bool read_value(const At& at, const Value& value, T& out);

bool expect(const At& at, const Value& value, Value::Type type);

template <class T>
bool read_value(const At& at, const Value& value, std::optional<T>& out) {
    return read_value(at, value, out.emplace());
}

template <class T>
bool read_value(const At& at, const Value& value, Boxed<T>& out) {
    return read_value(at, value, out.emplace());
}

template <class T>
bool read_value(const At& at, const Value& value, std::vector<T>& out) {
    if (!expect(at, value, Value::Type::array)) {
        return false;
    }
    bool good = true;
    for (std::size_t i = 0; i < value.items().size(); ++i) {
        const Value& item = value.items()[i];
        good &= read_value(at.item(i, item.line()), item, out.emplace_back());
    }
    return good;
}

// Members that no field of the table takes, and fields that are missing.
template <class T>
void read_members(const At& at, const Value& value, const Table<T>& table, T& out) {
    for (const Value::Member& member : value.members()) {
        const At place = at.member(member.name, member.value.line());
        const auto field = std::find_if(table.fields.begin(), table.fields.end(), [&](const Field<T>& f) { return f.name == member.name; });
        if (field != table.fields.end()) {
            if (!member.value.is_null()) {
                field->read(place, member.value, out);
            }
        } else if (std::find(table.ignored.begin(), table.ignored.end(), member.name) == table.ignored.end()) {
            std::vector<std::string_view> known = table.ignored;
            std::transform(table.fields.begin(), table.fields.end(), std::back_inserter(known), [](const Field<T>& f) { return f.name; });
            place.warning(unknown_field(member.name, known));
        }
    }
    for (const Field<T>& field : table.fields) {
        const Value* member = field.required ? value.find(field.name) : nullptr;
        if (field.required && (member == nullptr || member->is_null())) {
            at.member(field.name, value.line()).cannot_read("is missing");
        }
    }
}

template <class T>
    requires requires { table_of(static_cast<const T*>(nullptr)); }
bool read_value(const At& at, const Value& value, T& out) {
    if (!expect(at, value, Value::Type::object)) {
        return false;
    }
    const std::size_t errors = at.context->errors();
    const std::size_t unread = at.context->unread();
    const Table<T>& table = table_of(static_cast<const T*>(nullptr));
    read_members(at, value, table, out);
    At whole = at;
    whole.value = &value;
    for (auto* const rule : table.rules) {
        if (at.context->unread() == unread) {
            rule(whole, out);
        }
    }
    return at.context->errors() == errors;
}

// --- checks ---

template <class Check>
struct Each {
    Check check;
};
// The check for each item of a list.
template <class Check>
Each<Check> each(Check check) {
    return {std::move(check)};
}

template <class M, class Check>
void run_check(const At& at, const Value& /*value*/, const M& member, const Check& check) {
    if (std::string fault = check(member); !fault.empty()) {
        at.error(std::move(fault));
    }
}
template <class M, class Check>
void run_check(const At& at, const Value& value, const std::optional<M>& member, const Check& check) {
    run_check(at, value, *member, check);
}
template <class M, class Check>
void run_check(const At& at, const Value& value, const std::vector<M>& member, const Each<Check>& check) {
    for (std::size_t i = 0; i < member.size(); ++i) {
        const Value& item = value.items()[i];
        run_check(at.item(i, item.line()), item, member[i], check.check);
    }
}

template <class T, class C, class M, class... Checks>
Field<T> make_field(std::string_view name, bool required, M C::*member, Checks... checks) {
    return {name, required, [member, checks...](const At& at, const Value& value, T& out) {
                M& target = out.*member;
                target = M{};
                if (read_value(at, value, target)) {
                    (run_check(at, value, target, checks), ...);
                }
            }};
}

// Makes the fields of one struct's table: `const FieldsOf<Listener> f; f.required("name", &Listener::name, section_name)`.
template <class T>
struct FieldsOf {
    template <class C, class M, class... Checks>
    Field<T> required(std::string_view name, M C::*member, Checks... checks) const {
        return make_field<T>(name, true, member, std::move(checks)...);
    }
    template <class C, class M, class... Checks>
    Field<T> optional(std::string_view name, M C::*member, Checks... checks) const {
        return make_field<T>(name, false, member, std::move(checks)...);
    }
    // The fields of `Part`'s table, read into `part` of the struct: {"spec": {...}} without a struct of its own.
    template <class Reader>
    Field<T> custom(std::string_view name, bool is_required, Reader reader) const {
        return {name, is_required, std::move(reader)};
    }
};

// A table's fields in the table of a struct that inherits.
template <class T, class Base>
std::vector<Field<T>> with_base(const Table<Base>& base, std::vector<Field<T>> own) {
    std::vector<Field<T>> fields;
    for (const Field<Base>& field : base.fields) {
        fields.push_back({field.name, field.required, field.read});
    }
    std::move(own.begin(), own.end(), std::back_inserter(fields));
    return fields;
}

using StringCheck = std::function<std::string(const std::string&)>;

StringCheck matches(bool (*test)(std::string_view), std::string what);  // what: "is not a host name"
StringCheck length(std::size_t least, std::size_t most);
StringCheck one_of(std::initializer_list<const char*> words);
std::function<std::string(const std::int32_t&)> range(std::int32_t least, std::int32_t most, std::string what);  // "is not a port"
std::string port(const std::int32_t& number);

// Number of items of a list or map.
struct items {
    std::size_t least;
    std::size_t most;
    template <class List>
    std::string operator()(const List& list) const {
        if (list.size() < least) {
            return least == 1 ? "must not be empty" : "must have at least " + std::to_string(least) + " items";
        }
        return list.size() > most ? "has " + std::to_string(list.size()) + " items, at most " + std::to_string(most) + " are allowed" : "";
    }
};

// No two items of a list with one key. `name` is said in the fault: "name".
template <class List, class Key>
void check_unique(const At& at, const char* list, const List& all, std::string_view name, Key key) {
    std::map<std::decay_t<decltype(key(all[0]))>, std::size_t> seen;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto [first, added] = seen.emplace(key(all[i]), i);
        if (!added) {
            const At place = at.member(list);
            place.item(i).error("has the same " + std::string(name) + " as " + list + "[" + std::to_string(first->second) + "]");
        }
    }
}

}  // namespace penstock::model
