// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/value_text.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <nlohmann/json.hpp>

#include "ctl/model/text_read.hpp"

namespace penstock::model {
namespace {

struct Chunk {
    std::string_view text;
    int first_line = 1;
};

bool is_marker(std::string_view line) {
    return line.starts_with("---") && (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

// At every "---" that begins a line: no YAML text may hold such a line otherwise, and no JSON text can.
std::vector<Chunk> split_documents(std::string_view text) {
    std::vector<Chunk> chunks;
    std::size_t start = 0;
    int start_line = 1;
    int line = 1;
    for (std::size_t at = 0; at < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (is_marker(text.substr(at, end - at)) && at > start) {
            chunks.push_back({text.substr(start, at - start), start_line});
            start = at;
            start_line = line;
        }
        at = end + 1;
    }
    chunks.push_back({text.substr(start), start_line});
    return chunks;
}

bool looks_like_json(std::string_view text) {
    const std::size_t at = text.find_first_not_of(" \t\r\n");
    return at != std::string_view::npos && (text[at] == '{' || text[at] == '[');
}

void read_chunk(const Chunk& chunk, const TextLimits& limits, std::vector<Document>& documents) {
    if (looks_like_json(chunk.text)) {
        Document document = read_json(chunk.text, chunk.first_line, limits);
        if (document.faults.empty()) {
            documents.push_back(std::move(document));
            return;
        }
    }
    auto read = read_yaml(chunk.text, chunk.first_line, limits);
    std::move(read.begin(), read.end(), std::back_inserter(documents));
}

std::string dump(const nlohmann::ordered_json& json, int indent) { return json.dump(indent, ' ', false, nlohmann::ordered_json::error_handler_t::replace); }

void append_string(const std::string& text, std::string& out) {
    const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= ' ' && c < 0x7f && c != '"' && c != '\\'; });
    if (plain) {
        out.append(1, '"').append(text).append(1, '"');
    } else {
        out += dump(text, -1);
    }
}

// Each object of a cluster is written so when it comes: without a second tree.
void append_compact(const Value& value, std::string& out) {
    const char* separator = "";
    switch (value.type()) {
        case Value::Type::string: append_string(*value.as_string(), out); return;
        case Value::Type::array:
            out += '[';
            for (const Value& item : value.items()) {
                append_compact(item, out.append(std::exchange(separator, ",")));
            }
            out += ']';
            return;
        case Value::Type::object:
            out += '{';
            for (const Value::Member& member : value.members()) {
                append_string(member.name, out.append(std::exchange(separator, ",")));
                append_compact(member.value, out.append(1, ':'));
            }
            out += '}';
            return;
        default: out += dump(to_json(value), -1);
    }
}

}  // namespace

std::vector<Document> parse_documents(std::string_view text, const TextLimits& limits) {
    std::vector<Document> documents;
    if (text.size() > limits.bytes_max) {
        documents.push_back({{}, 1, {{1, "the text is longer than " + std::to_string(limits.bytes_max) + " bytes"}}});
        return documents;
    }
    for (const Chunk& chunk : split_documents(text)) {
        if (documents.size() >= limits.documents_max) {
            documents.push_back({{}, chunk.first_line, {{chunk.first_line, "the text has more than " + std::to_string(limits.documents_max) + " documents"}}});
            break;
        }
        read_chunk(chunk, limits, documents);
    }
    return documents;
}

Result<Value> parse_json(std::string_view text, const TextLimits& limits) {
    if (text.size() > limits.bytes_max) {
        return Error{.code = Errc::limit, .what = "read JSON: longer than " + std::to_string(limits.bytes_max) + " bytes"};
    }
    Document document = read_json(text, 1, limits);
    if (!document.faults.empty()) {
        const TextFault& fault = document.faults.front();
        return Error{.code = Errc::invalid, .what = "read JSON: line " + std::to_string(fault.line) + ": " + fault.message};
    }
    return document.value;
}

nlohmann::ordered_json to_json(const Value& value) {
    switch (value.type()) {
        case Value::Type::null: return nullptr;
        case Value::Type::boolean: return *value.as_boolean();
        case Value::Type::integer: return *value.as_integer();
        case Value::Type::number: return *value.as_number();
        case Value::Type::string: return *value.as_string();
        case Value::Type::array: {
            auto json = nlohmann::ordered_json::array();
            for (const Value& item : value.items()) {
                json.push_back(to_json(item));
            }
            return json;
        }
        case Value::Type::object: {
            // Not by name: finding a name in an ordered_json takes a walk over all of them.
            nlohmann::ordered_json::object_t members;
            for (const Value::Member& member : value.members()) {
                members.emplace_back(member.name, to_json(member.value));
            }
            return members;
        }
    }
    return nullptr;
}

Value from_json(const nlohmann::ordered_json& json) {
    switch (json.type()) {
        case nlohmann::json::value_t::boolean: return Value::boolean(json.get<bool>());
        case nlohmann::json::value_t::number_integer:
        case nlohmann::json::value_t::number_unsigned: return Value::integer(json.get<std::int64_t>());
        case nlohmann::json::value_t::number_float: return Value::number(json.get<double>());
        case nlohmann::json::value_t::string: return Value::string(json.get<std::string>());
        case nlohmann::json::value_t::array: {
            Value::Array items;
            for (const auto& item : json) {
                items.push_back(from_json(item));
            }
            return Value::array(std::move(items));
        }
        case nlohmann::json::value_t::object: {
            Value::Members members;
            for (const auto& [name, value] : json.items()) {
                members.push_back({name, from_json(value)});
            }
            return Value::object(std::move(members));
        }
        default: return {};
    }
}

std::string to_json_text(const Value& value, int indent) {
    if (indent < 0) {
        std::string out;
        append_compact(value, out);
        return out;
    }
    return dump(to_json(value), indent);
}

}  // namespace penstock::model
