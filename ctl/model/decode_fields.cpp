// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/decode_fields.hpp"

#include <limits>

namespace penstock::model {

bool expect(const At& at, const Value& value, Value::Type type) {
    if (value.type() == type) {
        return true;
    }
    std::string fault = "must be " + std::string(type_text(type)) + ", is " + std::string(type_text(value.type()));
    const bool scalar = value.type() == Value::Type::integer || value.type() == Value::Type::number || value.type() == Value::Type::boolean;
    if (type == Value::Type::string && scalar) {
        fault += ": put it in quotes";
    }
    at.cannot_read(std::move(fault));
    return false;
}

bool read_value(const At& at, const Value& value, std::string& out) {
    if (!expect(at, value, Value::Type::string)) {
        return false;
    }
    out = *value.as_string();
    return true;
}

bool read_value(const At& at, const Value& value, bool& out) {
    if (!expect(at, value, Value::Type::boolean)) {
        return false;
    }
    out = *value.as_boolean();
    return true;
}

bool read_value(const At& at, const Value& value, std::int64_t& out) {
    if (!expect(at, value, Value::Type::integer)) {
        return false;
    }
    out = *value.as_integer();
    return true;
}

bool read_value(const At& at, const Value& value, std::int32_t& out) {
    std::int64_t wide = 0;
    if (!read_value(at, value, wide)) {
        return false;
    }
    if (wide < std::numeric_limits<std::int32_t>::min() || wide > std::numeric_limits<std::int32_t>::max()) {
        at.cannot_read(std::to_string(wide) + " is out of range");
        return false;
    }
    out = static_cast<std::int32_t>(wide);
    return true;
}

bool read_value(const At& at, const Value& value, std::uint32_t& out) {
    if (!expect(at, value, Value::Type::string)) {
        return false;
    }
    const auto ms = duration_ms(*value.as_string());
    if (!ms) {
        at.cannot_read(quoted(*value.as_string()) + " is not a duration like 1h2m3s4ms");
        return false;
    }
    out = *ms;
    return true;
}

bool read_value(const At& at, const Value& value, std::map<std::string, std::string>& out) {
    if (!expect(at, value, Value::Type::object)) {
        return false;
    }
    bool good = true;
    for (const Value::Member& member : value.members()) {
        if (member.value.is_null()) {
            continue;
        }
        good &= read_value(at.member(member.name, member.value.line()), member.value, out[member.name]);
    }
    return good;
}

StringCheck matches(bool (*test)(std::string_view), std::string what) {
    return [test, what = std::move(what)](const std::string& text) { return test(text) ? std::string() : quoted(text) + " " + what; };
}

StringCheck length(std::size_t least, std::size_t most) {
    return [least, most](const std::string& text) -> std::string {
        if (text.size() < least) {
            return "must not be empty";
        }
        return text.size() > most ? "is longer than " + std::to_string(most) + " characters" : "";
    };
}

StringCheck one_of(std::initializer_list<const char*> words) {
    return [all = std::vector<std::string>(words.begin(), words.end())](const std::string& text) -> std::string {
        std::string list;
        for (const std::string& word : all) {
            if (word == text) {
                return "";
            }
            list += (list.empty() ? "" : ", ") + word;
        }
        return quoted(text) + " is none of " + list;
    };
}

std::function<std::string(const std::int32_t&)> range(std::int32_t least, std::int32_t most, std::string what) {
    return [least, most, what = std::move(what)](const std::int32_t& number) {
        return number < least || number > most ? std::to_string(number) + " " + what : std::string();
    };
}

std::string port(const std::int32_t& number) { return number < 1 || number > 65535 ? std::to_string(number) + " is not a port" : ""; }

}  // namespace penstock::model
