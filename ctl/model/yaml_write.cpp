// SPDX-License-Identifier: Apache-2.0
// Writing YAML in block style. A string that any reader could take for something else is quoted as in JSON.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

#include "ctl/model/value_text.hpp"
#include "ctl/model/yaml_scalar.hpp"
#include "userspace/base/ascii.hpp"

namespace penstock::model {
namespace {

bool is_alnum(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Words that YAML 1.1 takes for booleans.
bool is_old_boolean(const std::string& text) {
    constexpr std::array<std::string_view, 6> kWords = {"y", "n", "yes", "no", "on", "off"};
    return std::find(kWords.begin(), kWords.end(), lower(text)) != kWords.end();
}

bool is_plain(const std::string& text) {
    if (text.empty() || !(is_alnum(text[0]) || text[0] == '/' || text[0] == '_') || text.back() == ':' || text.back() == ' ') {
        return false;
    }
    const bool tame = std::all_of(text.begin(), text.end(), [](char c) {
        return is_alnum(c) || std::string_view("_-./:,()=+@ ").find(c) != std::string_view::npos;
    });
    const bool number_like = text.find_first_not_of("0123456789.:-_+eExXoTZ") == std::string::npos;
    return tame && !number_like && text.find(": ") == std::string::npos && !is_old_boolean(text) &&
           plain_scalar(text, 0).type() == Value::Type::string;
}

// JSON may hold DEL as it is, YAML may not (YAML 1.2.2, 5.1).
std::string quoted(const std::string& text) {
    std::string out = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (std::size_t at = out.find('\x7f'); at != std::string::npos; at = out.find('\x7f', at)) {
        out.replace(at, 1, "\\u007f");
    }
    return out;
}

// Lines of printable ASCII (certificates, texts) stay readable as a block.
bool is_block(const std::string& text) {
    const std::size_t lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    if (lines == 0 || text.back() != '\n' || text.find("\n\n") != std::string::npos || text.front() == '\n' || text.front() == ' ' ||
        text.find(" \n") != std::string::npos || text.find("\n ") != std::string::npos) {
        return false;
    }
    return std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); });
}

void write_block(const std::string& text, std::size_t indent, std::string& out) {
    out += "|\n";
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        out.append(indent, ' ').append(text, at, end - at + 1);
        at = end + 1;
    }
}

void write_value(const Value& value, std::size_t indent, std::string& out);

// What stands behind "name:" or "-", with the line's end.
void write_scalar(const Value& value, std::size_t indent, std::string& out) {
    const std::string* text = value.as_string();
    if (text != nullptr && is_block(*text)) {
        write_block(*text, indent, out);
        return;
    }
    if (text != nullptr) {
        out += is_plain(*text) ? *text : quoted(*text);
    } else {
        out += to_json_text(value, -1);  // null, numbers, booleans, [] and {}
    }
    out += "\n";
}

void write_members(const Value& value, std::size_t indent, std::string& out, bool first_is_placed) {
    for (const Value::Member& member : value.members()) {
        if (!first_is_placed) {
            out.append(indent, ' ');
        }
        first_is_placed = false;
        out += is_plain(member.name) ? member.name : quoted(member.name);
        out += ":";
        if (member.value.members().empty() && member.value.items().empty()) {
            out += " ";
            write_scalar(member.value, indent + 2, out);
        } else {
            out += "\n";
            write_value(member.value, member.value.type() == Value::Type::array ? indent : indent + 2, out);
        }
    }
}

void write_items(const Value& value, std::size_t indent, std::string& out) {
    for (const Value& item : value.items()) {
        out.append(indent, ' ').append("-");
        if (!item.members().empty()) {
            out += " ";
            write_members(item, indent + 2, out, true);
        } else if (!item.items().empty()) {
            out += "\n";
            write_items(item, indent + 2, out);
        } else {
            out += " ";
            write_scalar(item, indent + 2, out);
        }
    }
}

void write_value(const Value& value, std::size_t indent, std::string& out) {
    value.type() == Value::Type::array ? write_items(value, indent, out) : write_members(value, indent, out, false);
}

}  // namespace

std::string to_yaml_text(const Value& value) {
    std::string out;
    if (value.members().empty() && value.items().empty()) {
        write_scalar(value, 2, out);
    } else {
        write_value(value, 0, out);
    }
    return out;
}

}  // namespace penstock::model
