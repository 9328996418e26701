// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/h2_fields.hpp"

#include "userspace/base/assert.hpp"
#include "userspace/http/parser.hpp"

namespace penstock::http {

namespace {

std::vector<nghttp2_nv>& scratch() {
    static thread_local std::vector<nghttp2_nv> fields;
    return fields;
}

std::uint8_t* bytes(std::string_view text) { return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data())); }

bool is_blank(char c) { return c == ' ' || c == '\t'; }

bool splits_lines(std::string_view value) {
    return !is_field_value(value) && value.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

bool is_left_out(const Header& field) {
    switch (field.name.size()) {
        case 2: return equals_ignoring_case(field.name, "te") && !equals_ignoring_case(field.value, "trailers");
        case 4: return equals_ignoring_case(field.name, "host");
        case 7: return equals_ignoring_case(field.name, "upgrade");
        case 10: return equals_ignoring_case(field.name, "connection") || equals_ignoring_case(field.name, "keep-alive");
        case 16: return equals_ignoring_case(field.name, "proxy-connection");
        case 17: return equals_ignoring_case(field.name, "transfer-encoding");
        default: return false;
    }
}

}  // namespace

H2Fields::H2Fields() : fields_(scratch()) { fields_.clear(); }

void H2Fields::pseudo(std::string_view name, std::string_view value) {
    PST_ASSERT(!splits_lines(value));
    fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
}

void H2Fields::add(std::string_view name, std::string_view value) {
    while (!value.empty() && is_blank(value.front())) {
        value.remove_prefix(1);
    }
    while (!value.empty() && is_blank(value.back())) {
        value.remove_suffix(1);
    }
    pseudo(name, value);
}

void H2Fields::add(const Headers& headers) {
    for (const Header& field : headers) {
        if (!is_left_out(field)) {
            add(field.name, field.value);
        }
    }
}

}  // namespace penstock::http
