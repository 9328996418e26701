// SPDX-License-Identifier: Apache-2.0
// What requests, responses and trailers share: lines, fields, the characters of tokens and hosts.
#include <array>
#include <cstring>

#include "userspace/http/parser.hpp"

namespace penstock::http {

namespace {

// The classes of RFC 9110's characters, one bit each.
enum : std::uint8_t { kToken = 1, kFieldValue = 2, kHostName = 4, kAddress6 = 8 };

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (int c = 0; c < 256; c++) {
        const bool digit = c >= '0' && c <= '9';
        const bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        const bool hex = digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        bool mark = false;
        for (const char m : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
            mark = mark || c == m;
        }
        std::uint8_t bits = 0;
        bits |= digit || alpha || mark ? kToken : 0;
        bits |= c == '\t' || (c >= ' ' && c != 0x7f) ? kFieldValue : 0;  // bytes above 127 are opaque: obs-text
        bits |= digit || alpha || c == '-' || c == '.' || c == '_' ? kHostName : 0;
        bits |= hex || c == ':' || c == '.' ? kAddress6 : 0;
        classes[static_cast<std::size_t>(c)] = bits;
    }
    return classes;
}
constexpr auto kClasses = make_classes();

bool all_in(std::string_view text, std::uint8_t wanted) {
    for (const char c : text) {
        if ((kClasses[static_cast<unsigned char>(c)] & wanted) == 0) {
            return false;
        }
    }
    return true;
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && all_in(text, kToken); }
bool is_field_value(std::string_view text) { return all_in(text, kFieldValue); }

bool frames_in_disguise(std::string_view name) {
    if (name.find('_') == std::string_view::npos || name.size() > 17) {
        return false;
    }
    std::array<char, 17> plain{};
    for (std::size_t i = 0; i < name.size(); i++) {
        plain[i] = name[i] == '_' ? '-' : name[i];
    }
    const std::string_view with_dashes(plain.data(), name.size());
    return equals_ignoring_case(with_dashes, "content-length") || equals_ignoring_case(with_dashes, "transfer-encoding");
}

bool is_host(std::string_view text) {
    std::string_view port;
    bool has_port = false;
    if (!text.empty() && text.front() == '[') {
        const std::size_t end = text.find(']');
        if (end == std::string_view::npos || end < 3 || !all_in(text.substr(1, end - 1), kAddress6)) {
            return false;
        }
        const std::string_view rest = text.substr(end + 1);
        if (rest.empty()) {
            return true;
        }
        has_port = rest.front() == ':';
        port = rest.substr(1);
        if (!has_port) {
            return false;
        }
    } else {
        const std::size_t colon = text.find(':');
        const std::string_view name = text.substr(0, colon);
        if (name.empty() || name.size() > 255 || !all_in(name, kHostName)) {
            return false;
        }
        has_port = colon != std::string_view::npos;
        port = has_port ? text.substr(colon + 1) : std::string_view();
    }
    if (!has_port) {
        return true;
    }
    unsigned number = 0;
    for (const char c : port) {
        if (c < '0' || c > '9') {
            return false;
        }
        number = number * 10 + static_cast<unsigned>(c - '0');
        if (number > 65535) {
            return false;
        }
    }
    return !port.empty() && port.size() <= 5;
}

void LineReader::restart() {
    reject_ = Reject::none;
    at_ = scanned_ = line_begin_ = line_end_ = 0;
    fields_.clear();
}

Progress LineReader::next_line(std::string_view bytes, std::size_t limit, Reject too_large) {
    const std::size_t end = std::min(bytes.size(), limit);
    const void* found = scanned_ < end ? std::memchr(bytes.data() + scanned_, '\n', end - scanned_) : nullptr;
    if (found == nullptr) {
        scanned_ = end;
        return bytes.size() >= limit ? refuse(too_large) : Progress::more;
    }
    const auto lf = static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (lf == at_ || bytes[lf - 1] != '\r') {
        return refuse(Reject::bad_line_end);
    }
    line_begin_ = at_;
    line_end_ = lf - 1;
    at_ = scanned_ = lf + 1;
    return Progress::done;
}

Progress LineReader::header_line(std::string_view line) {
    if (is_blank(line.front())) {
        return refuse(Reject::folded_header);
    }
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    if (colon == std::string_view::npos || !is_token(name) || frames_in_disguise(name)) {
        return refuse(Reject::bad_header_name);
    }
    if (fields_.size() >= limits_.headers_max) {
        return refuse(Reject::too_many_headers);
    }
    std::size_t begin = colon + 1, end = line.size();
    if (!is_field_value(line.substr(begin))) {
        return refuse(Reject::bad_header_value);
    }
    while (begin < end && is_blank(line[begin])) {
        begin++;
    }
    // Not everybody trims after "chunked": kept, it is refused.
    const bool keep_end = equals_ignoring_case(name, "transfer-encoding");
    while (end > begin && is_blank(line[end - 1]) && !keep_end) {
        end--;
    }
    const auto at = [this](std::size_t offset) { return static_cast<std::uint32_t>(line_begin_ + offset); };
    fields_.push_back({at(0), static_cast<std::uint32_t>(colon), at(begin), static_cast<std::uint32_t>(end - begin)});
    return Progress::done;
}

void LineReader::fill(std::string_view bytes, Headers& headers) const {
    headers.clear();
    headers.reserve(fields_.size());
    for (const Field& field : fields_) {
        headers.add(bytes.substr(field.name, field.name_size), bytes.substr(field.value, field.value_size));
    }
}

LineReader::Length LineReader::read_length(const Headers& headers) {
    Length length;
    for (const Header& field : headers) {
        if (equals_ignoring_case(field.name, "transfer-encoding")) {
            length.encodings++;
            length.encoding = field.value;
        } else if (equals_ignoring_case(field.name, "content-length")) {
            length.lengths++;
            length.length = field.value;
        }
    }
    return length;
}

Reject LineReader::parse_length(const Length& length, std::uint64_t& value) {
    return length.lengths > 1 ? Reject::several_content_lengths : parse_content_length(length.length, value);
}

Reject parse_content_length(std::string_view text, std::uint64_t& value) {
    // A leading zero is a digit to us and an octal number to somebody else. 18 digits always fit.
    if (text.empty() || text.size() > 18 || (text.size() > 1 && text.front() == '0')) {
        return Reject::bad_content_length;
    }
    value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return Reject::bad_content_length;
        }
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return Reject::none;
}

Reject LineReader::parse_encoding(const Length& length) {
    if (length.encodings == 1 && equals_ignoring_case(length.encoding, "chunked")) {
        return Reject::none;
    }
    if (length.encodings > 1 || length.encoding.empty()) {
        return Reject::bad_transfer_encoding;
    }
    // Codings that we do not know, the last of them chunked or none chunked: understood, not supported.
    std::size_t chunked = 0, tokens = 0;
    bool last = false, clean = true;
    for_each_token(length.encoding, [&](std::string_view token) {
        tokens++;
        last = equals_ignoring_case(token, "chunked");
        chunked += last ? 1 : 0;
        clean = clean && is_token(token);
    });
    const bool known_form = clean && tokens > 0 && (chunked == 0 || (chunked == 1 && last && tokens > 1));
    return known_form ? Reject::unknown_transfer_encoding : Reject::bad_transfer_encoding;
}

}  // namespace penstock::http
