// SPDX-License-Identifier: Apache-2.0
// What requests, responses and trailers share: lines, fields, the characters of tokens and hosts.
#include <array>
#include <cstring>

#include "userspace/http/parser.hpp"
#include "userspace/http/scan.hpp"

namespace penstock::http {

namespace {

// The classes of RFC 9110's characters, one bit each.
enum : std::uint8_t { kToken = 1, kHostName = 2, kAddress6 = 4 };

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

// The name at the front of a field's line, empty if it is not one. The CR behind the line ends the search at the latest.
std::string_view name_of_line(std::string_view line) {
    const char* at = line.data();
    while ((kClasses[static_cast<unsigned char>(*at)] & kToken) != 0) {
        at++;
    }
    return *at == ':' ? line.substr(0, static_cast<std::size_t>(at - line.data())) : std::string_view();
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && all_in(text, kToken); }
// Bytes above 127 are opaque: obs-text.
bool is_field_value(std::string_view text) { return !scan::any<scan::Controls>(text); }

bool frames_in_disguise(std::string_view name) {
    std::string_view plain;
    switch (name.size()) {
        case 14: plain = "content-length"; break;
        case 17: plain = "transfer-encoding"; break;
        default: return false;
    }
    const std::size_t dash = plain.find('-');
    return name[dash] == '_' && equals_ignoring_case(name.substr(0, dash), plain.substr(0, dash)) &&
           equals_ignoring_case(name.substr(dash + 1), plain.substr(dash + 1));
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
    seen_ = {};
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
    const std::string_view name = name_of_line(line);
    if (name.empty()) {
        return refuse(Reject::bad_header_name);
    }
    if (frames_in_disguise(name)) {
        return refuse(Reject::disguised_framing);
    }
    if (fields_.size() >= limits_.headers_max) {
        return refuse(Reject::too_many_headers);
    }
    std::size_t begin = name.size() + 1, end = line.size();
    if (!is_field_value(line.substr(begin))) {
        return refuse(Reject::bad_header_value);
    }
    while (begin < end && is_blank(line[begin])) {
        begin++;
    }
    const Known known = known_field(name);
    // Not everybody trims after "chunked": kept, it is refused.
    while (end > begin && is_blank(line[end - 1]) && known != Known::transfer_encoding) {
        end--;
    }
    Seen& seen = seen_[static_cast<std::size_t>(known)];
    seen.count++;
    seen.last = static_cast<std::uint32_t>(fields_.size());
    const auto at = [this](std::size_t offset) { return static_cast<std::uint32_t>(line_begin_ + offset); };
    fields_.push_back({at(0), static_cast<std::uint32_t>(name.size()), at(begin), static_cast<std::uint32_t>(end - begin)});
    return Progress::done;
}

void LineReader::fill(std::string_view bytes, Headers& headers) const {
    headers.clear();
    headers.reserve(fields_.size());
    for (const Field& field : fields_) {
        headers.add(bytes.substr(field.name, field.name_size), bytes.substr(field.value, field.value_size));
    }
}

LineReader::Known LineReader::known_field(std::string_view name) {
    const auto is = [name](std::string_view wanted, Known known) { return equals_ignoring_case(name, wanted) ? known : Known::other; };
    switch (name.size()) {
        case 4: return is("host", Known::host);
        case 6: return is("expect", Known::expect);
        case 7: return is("upgrade", Known::upgrade);
        case 10: return is("connection", Known::connection);
        case 14: return is("content-length", Known::content_length);
        case 17: return is("transfer-encoding", Known::transfer_encoding);
        default: return Known::other;
    }
}

bool LineReader::connection_has(const Headers& headers, std::string_view token) const {
    switch (count(Known::connection)) {
        case 0: return false;
        case 1: return list_has(last(headers, Known::connection), token);
        default: return headers.has_token("connection", token);
    }
}

Reject LineReader::parse_length(const Headers& headers, std::uint64_t& value) const {
    return count(Known::content_length) > 1 ? Reject::several_content_lengths : parse_content_length(last(headers, Known::content_length), value);
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

Reject LineReader::parse_encoding(const Headers& headers) const {
    const std::string_view encoding = last(headers, Known::transfer_encoding);
    const bool one = count(Known::transfer_encoding) == 1;
    if (one && equals_ignoring_case(encoding, "chunked")) {
        return Reject::none;
    }
    if (!one || encoding.empty()) {
        return Reject::bad_transfer_encoding;
    }
    // Codings that we do not know, the last of them chunked or none chunked: understood, not supported.
    std::size_t chunked = 0, tokens = 0;
    bool last = false, clean = true;
    for_each_token(encoding, [&](std::string_view token) {
        tokens++;
        last = equals_ignoring_case(token, "chunked");
        chunked += last ? 1 : 0;
        clean = clean && is_token(token);
    });
    const bool known_form = clean && tokens > 0 && (chunked == 0 || (chunked == 1 && last && tokens > 1));
    return known_form ? Reject::unknown_transfer_encoding : Reject::bad_transfer_encoding;
}

}  // namespace penstock::http
