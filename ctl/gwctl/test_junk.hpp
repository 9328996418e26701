// SPDX-License-Identifier: Apache-2.0
// For tests: what bytes make of good objects. Bytes choose one of the golden cases and edit its documents: a field gets a wrong type, a number
// out of range, text that is none, or what another field has; it goes, comes twice or a hundred times. So deep code is reached that a text
// of random bytes never would. Without bytes it is the case as it stands.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ctl/model/value_text.hpp"

namespace penstock::gwctl::testing {

// Zeros when they are at an end.
class Bytes {
public:
    explicit Bytes(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    std::uint8_t byte() {
        const std::uint8_t first = bytes_.empty() ? 0 : bytes_[0];
        bytes_ = bytes_.subspan(bytes_.empty() ? 0 : 1);
        return first;
    }
    // Less than `end`, which is more than 0.
    std::size_t number(std::size_t end) {
        const std::size_t high = byte();
        return (high * 256 + byte()) % end;
    }
    std::string text(std::size_t size) {
        const auto taken = bytes_.first(std::min(size, bytes_.size()));
        bytes_ = bytes_.subspan(taken.size());
        return {taken.begin(), taken.end()};
    }
    std::string rest() { return text(bytes_.size()); }

private:
    std::span<const std::uint8_t> bytes_;
};

class Junk {
public:
    using Value = model::Value;
    using Values = std::vector<Value>;

    // Of the folder of golden cases. `dear`: names that junk shall refer to.
    explicit Junk(const std::string& folder, std::vector<std::string> dear) {
        std::set<std::filesystem::path> files;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().extension() == ".yaml") {
                files.insert(entry.path());
            }
        }
        std::set<std::string> texts(dear.begin(), dear.end());
        for (const auto& file : files) {
            Values values;
            for (model::Document& document : model::parse_documents(text_of(file))) {
                gather(document.value, texts);
                values.push_back(std::move(document.value));
            }
            (file.filename() == "base.yaml" ? base_ : cases_.emplace_back()) = std::move(values);
        }
        for (const std::string_view junk : kTexts) {
            texts.emplace(junk);
        }
        texts_.assign(texts.begin(), texts.end());
        texts_.emplace_back(300, 'a');
        texts_.emplace_back(70'000, 'a');
        texts_.emplace_back("a\0b", 3);
        for (const std::string& name : dear) {  // once more: these are worth the most
            texts_.insert(texts_.end(), 8, name);
        }
    }

    [[nodiscard]] std::size_t cases() const { return cases_.size(); }

    // All of a case, with edits until the bytes end.
    [[nodiscard]] Values documents(std::size_t number, Bytes& bytes) const {
        Values values = base_;
        const Values& chosen = cases_[number % cases_.size()];
        values.insert(values.end(), chosen.begin(), chosen.end());
        for (int edits = 0; !bytes.empty() && edits < kEditsMost; ++edits) {
            // What the case is about is edited more often than what all have.
            const std::size_t from = bytes.byte() % 8 == 0 ? 0 : base_.size();
            const std::size_t at = from + bytes.number(values.size() - from);
            if (nodes_of(values[at]) < kNodesMost) {
                values[at] = edited(values[at], values, bytes);
            }
        }
        for (Value& value : values) {
            // As an API server sends it: no source gives what is not UTF-8. Nor what is too deep or too large.
            value = model::parse_json(model::to_json_text(value)).value_or(Value());
        }
        return values;
    }

private:
    static constexpr int kEditsMost = 48;
    static constexpr std::size_t kNodesMost = 4000;  // of a document that is still edited
    static constexpr std::array<std::string_view, 66> kTexts = {
        "", " ", "\n", "*", "-", ".", "..", "/", "//", "/..", "/%", "/%00", "/%2f", "/a/", "?", "#", ":", "[", "(", "(a+)+$", "([", "a{1001}", "\\", "\\C", "(?i)x", "^$", "\x7f",
        "\xff\xfe", "\xe2\x28\xa1", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xe2\x80\xa8", "A", "UPPER.example.com", "*.example.com", "*.*.com", "*.com", "a..b", "-a", "xn--a", "0.0.0.0", "127.0.0.1",
        "224.0.0.1", "255.255.255.255", "999.1.1.1", "01.2.3.4", "::", "::1", "::ffff:1.2.3.4", "fe80::1", "ff02::1", "fd00::/8", "10.0.0.0/0", "10.0.0.0-10.255.255.255", "0s", "-1s", "1ms", "1e9h",
        "99999h99999h", "9223372036854775807", "18446744073709551616", "-1", "1e400", "nan", "true", "null"};
    static constexpr std::array<std::int64_t, 22> kNumbers = {-1, 0, 1, 2, 53, 80, 443, 99, 100, 404, 599, 600, 999, 65535, 65536, 1'000'000, 1'000'001, INT32_MAX, INT32_MIN, 1LL << 32, INT64_MAX, INT64_MIN};

    static std::string text_of(const std::filesystem::path& file) {
        std::ostringstream text;
        text << std::ifstream(file, std::ios::binary).rdbuf();
        return text.str();
    }
    void gather(const Value& value, std::set<std::string>& texts) {
        if (const std::string* text = value.as_string(); text != nullptr) {
            texts.insert(*text);
        }
        for (const Value& item : value.items()) {
            gather(item, texts);
        }
        for (const Value::Member& member : value.members()) {
            if (std::find(names_.begin(), names_.end(), member.name) == names_.end()) {
                names_.push_back(member.name);
            }
            gather(member.value, texts);
        }
    }
    static std::size_t nodes_of(const Value& value) {
        std::size_t nodes = 1;
        for (const Value& item : value.items()) {
            nodes += nodes_of(item);
        }
        for (const Value::Member& member : value.members()) {
            nodes += nodes_of(member.value);
        }
        return nodes;
    }
    static Value node_of(const Value& value, std::size_t number) {
        Value found;
        visit(value, number, [&](const Value& node) {
            found = node;
            return std::optional(node);
        });
        return found;
    }

    // The value with node `number` of it (depth first, 0: itself) as `edit` gives it; nothing: the node goes.
    using Edit = std::function<std::optional<Value>(const Value&)>;
    static std::optional<Value> visit(const Value& value, std::size_t& number, const Edit& edit) {
        if (number-- == 0) {
            return edit(value);
        }
        if (value.type() == Value::Type::array) {
            Value::Array items;
            for (const Value& item : value.items()) {
                if (auto next = visit_if(item, number, edit)) {
                    items.push_back(std::move(*next));
                }
            }
            return Value::array(std::move(items));
        }
        if (value.type() == Value::Type::object) {
            Value::Members members;
            for (const Value::Member& member : value.members()) {
                if (auto next = visit_if(member.value, number, edit)) {
                    members.push_back({member.name, std::move(*next)});
                }
            }
            return Value::object(std::move(members));
        }
        return value;
    }
    static std::optional<Value> visit_if(const Value& value, std::size_t& number, const Edit& edit) {
        return number == kDone ? value : visit(value, number, edit);  // number-- made it so: the node is behind
    }
    static constexpr std::size_t kDone = static_cast<std::size_t>(-1);

    [[nodiscard]] Value edited(const Value& document, const Values& all, Bytes& bytes) const {
        std::size_t number = bytes.number(nodes_of(document));
        const std::uint8_t what = bytes.byte();
        const auto next = visit(document, number, [&](const Value& node) { return replaced(node, what, all, bytes); });
        return next.value_or(Value());
    }

    [[nodiscard]] std::optional<Value> replaced(const Value& node, std::uint8_t what, const Values& all, Bytes& bytes) const {
        switch (what % 10) {
            case 0: return std::nullopt;
            case 1: return some_scalar(bytes);
            case 2: return Value::string(bytes.text(bytes.byte() % 32));
            case 3: return Value::array({node, node});
            case 4: return with_member(node, all, bytes);
            case 5: return repeated(node, bytes);
            case 6: return some_node(all, bytes);
            case 7: return swapped(node, bytes);
            default: return Value::string(texts_[bytes.number(texts_.size())]);
        }
    }
    [[nodiscard]] static Value some_scalar(Bytes& bytes) {
        const std::uint8_t what = bytes.byte();
        switch (what % 8) {
            case 0: return {};
            case 1: return Value::boolean(what % 16 == 1);
            case 2: return Value::array({});
            case 3: return Value::object({});
            case 4: return Value::number(what % 16 == 4 ? 1e308 : 0.5);
            default: return Value::integer(kNumbers[bytes.number(kNumbers.size())]);
        }
    }
    [[nodiscard]] static Value some_node(const Values& all, Bytes& bytes) {
        const Value& from = all[bytes.number(all.size())];
        return node_of(from, bytes.number(nodes_of(from)));
    }
    [[nodiscard]] Value with_member(const Value& node, const Values& all, Bytes& bytes) const {
        if (node.type() != Value::Type::object) {
            return node;
        }
        const std::string& name = names_[bytes.number(names_.size())];
        return node.with(name, bytes.byte() % 2 == 0 ? some_node(all, bytes) : Value::string(texts_[bytes.number(texts_.size())]));
    }
    // A list with its last item again and again; of other nodes the opposite.
    [[nodiscard]] static Value repeated(const Value& node, Bytes& bytes) {
        static constexpr std::array kTimes = {1, 2, 16, 65, 200};
        if (node.type() != Value::Type::array || node.items().empty()) {
            return Value::boolean(!(node.as_boolean() != nullptr && *node.as_boolean()));
        }
        Value::Array items = node.items();
        const Value last = items.back();
        const auto times = static_cast<std::size_t>(kTimes[bytes.byte() % kTimes.size()]);
        items.insert(items.end(), nodes_of(last) * times < kNodesMost ? times : 1, last);
        return Value::array(std::move(items));
    }
    // Two members have each other's content, or two items each other's place.
    [[nodiscard]] static Value swapped(const Value& node, Bytes& bytes) {
        if (!node.items().empty()) {
            Value::Array items = node.items();
            std::swap(items[bytes.number(items.size())], items[bytes.number(items.size())]);
            return Value::array(std::move(items));
        }
        if (!node.members().empty()) {
            Value::Members members = node.members();
            std::swap(members[bytes.number(members.size())].value, members[bytes.number(members.size())].value);
            return Value::object(std::move(members));
        }
        return node;
    }

    Values base_;  // what all cases have
    std::vector<Values> cases_;
    std::vector<std::string> names_;  // of members
    std::vector<std::string> texts_;
};

}  // namespace penstock::gwctl::testing
