// SPDX-License-Identifier: Apache-2.0
// Header fields in the order in which they came: views into memory that somebody else keeps (the head's buffer, a rule's
// tables, literals). Names compare without case. One vector per message; clear() keeps its memory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::http {

bool same_letters(const char* a, const char* b, std::size_t size);  // ASCII, without case
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && same_letters(a.data(), b.data(), a.size());
}

bool list_has(std::string_view list, std::string_view token);  // of a comma separated list

struct Header {
    std::string_view name, value;
};

class Headers {
public:
    void clear() { fields_.clear(); }
    void reserve(std::size_t count) { fields_.reserve(count); }
    void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }
    // Replaces all fields of the name by one (in the place of the first).
    void set(std::string_view name, std::string_view value);
    void remove(std::string_view name);
    // Removes the fields that are `name` but for underscores where it has hyphens.
    void remove_underscored(std::string_view name);

    // The first field of the name.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const { return find(name).has_value(); }
    [[nodiscard]] std::size_t count(std::string_view name) const;
    // All values of the name joined by ", ", as RFC 9110 5.3 reads repeated fields; for Cookie by "; ". In `room` if there are several.
    std::optional<std::string_view> joined(std::string_view name, std::string& room) const;
    // Whether some field of the name is a list that has `token`: has_token("connection", "close").
    [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;

    [[nodiscard]] auto begin() const { return fields_.begin(); }
    [[nodiscard]] auto end() const { return fields_.end(); }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }
    [[nodiscard]] bool empty() const { return fields_.empty(); }

    // Removes Connection, what it names, and the other fields that belong to one connection only: Keep-Alive,
    // Proxy-Connection, TE, Transfer-Encoding, Upgrade. Host and Content-Length stay even if Connection names them.
    void remove_hop_by_hop();

private:
    std::vector<Header> fields_;
};

// Calls `each` with the elements of a comma separated list, without white space around them and without empty ones.
template <class Each>
void for_each_token(std::string_view list, Each each) {
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        std::string_view token = list.substr(0, comma);
        list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
        while (!token.empty() && (token.front() == ' ' || token.front() == '\t')) {
            token.remove_prefix(1);
        }
        while (!token.empty() && (token.back() == ' ' || token.back() == '\t')) {
            token.remove_suffix(1);
        }
        if (!token.empty()) {
            each(token);
        }
    }
}

}  // namespace penstock::http
