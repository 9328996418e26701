// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/access_line.hpp"

#include <array>
#include <charconv>
#include <ctime>

namespace penstock::proxy {

namespace {

constexpr char kDigits[] = "0123456789abcdef";

// The bytes of the UTF-8 character at the front; 0 if there is none. Strict: no overlong forms, no surrogates, nothing above U+10FFFF.
std::size_t character_size(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    const std::size_t size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (size == 0 || text.size() < size) {
        return 0;
    }
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool bad = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) || (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
    return bad ? 0 : size;
}

void append_u(std::string& out, unsigned code) {
    out += "\\u00";
    out += kDigits[code >> 4];
    out += kDigits[code & 15];
}

template <class Number>
void append_number(std::string& out, Number number) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out.append(digits.data(), end);
}

void append_padded(std::string& out, std::int64_t number, int width) {
    std::array<char, 8> digits;
    for (int i = width - 1; i >= 0; --i) {
        digits[static_cast<std::size_t>(i)] = kDigits[number % 10];
        number /= 10;
    }
    out.append(digits.data(), static_cast<std::size_t>(width));
}

// 2026-01-02T03:04:05.678901Z
void append_time(std::string& out, std::int64_t unix_us) {
    const std::time_t seconds = unix_us / 1'000'000;
    std::tm utc = {};
    ::gmtime_r(&seconds, &utc);
    append_padded(out, utc.tm_year + 1900, 4);
    for (const auto& [before, number] : {std::pair('-', utc.tm_mon + 1), {'-', utc.tm_mday}, {'T', utc.tm_hour}, {':', utc.tm_min}, {':', utc.tm_sec}}) {
        out += before;
        append_padded(out, number, 2);
    }
    out += '.';
    append_padded(out, unix_us % 1'000'000, 6);
    out += 'Z';
}

std::string_view version_text(HttpVersion version) {
    switch (version) {
        case HttpVersion::http10: return "HTTP/1.0";
        case HttpVersion::http11: return "HTTP/1.1";
        case HttpVersion::http2: return "HTTP/2";
    }
    return "";
}

// Calls `string(name, value)` and `number(name, value)` for what is known, in the order of the line; not for what opens a text line.
template <class String, class Number>
void for_each_field(const Record& record, const String& string, const Number& number) {
    if (record.reason) {
        string("reason", info(*record.reason).name);
    }
    if (record.listener != nullptr) {
        string("listener", record.listener->name);
    }
    if (record.rule != nullptr) {
        string("route", fb::path_of(*record.rule->spec->object()));
        number("rule", record.rule->spec->index());
    }
    if (record.set != nullptr) {
        string("service", record.set->name);
        number("attempts", record.attempts);
    }
    if (record.endpoint.port != 0) {
        string("endpoint", record.endpoint.text());
        number("reused", record.reused ? 1U : 0U);
    }
    if (record.backend_status != 0 && record.backend_status != record.status) {
        number("backend_status", static_cast<unsigned>(record.backend_status));
    }
    number("bytes_in", record.bytes_in);
    number("duration_us", microseconds_between(record.began, record.done));
    if (record.connected != ring::kNever) {
        number("connected_us", microseconds_between(record.began, record.connected));
    }
    if (record.first_byte != ring::kNever) {
        number("first_byte_us", microseconds_between(record.began, record.first_byte));
    }
    if (record.client->tls) {
        string("tls", record.client->tls_version);
        string("cipher", record.client->tls_cipher);
        string("sni", record.client->server_name);
        number("resumed", record.client->tls_resumed ? 1U : 0U);
    }
    string("request_id", record.request_id);
    if (record.trace) {
        string("trace_id", record.trace->trace_id());
    }
}

}  // namespace

void append_json(std::string& out, std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = character_size(text.substr(at));
        const auto first = static_cast<unsigned char>(text[at]);
        if (size == 0) {
            out += "\\ufffd";
        } else if (first == '"' || first == '\\') {
            out += '\\';
            out += text[at];
        } else if (first < 0x20 || first == 0x7f) {
            append_u(out, first);
        } else if (size == 2 && first == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0) {
            append_u(out, static_cast<unsigned char>(text[at + 1]));  // C1: terminals may obey it
        } else {
            out.append(text, at, size);
        }
        at += size == 0 ? 1 : size;
    }
}

void append_text(std::string& out, std::string_view text) {
    for (const char letter : text) {
        const auto code = static_cast<unsigned char>(letter);
        if (letter == '"' || letter == '\\') {
            out += '\\';
            out += letter;
        } else if (code < 0x20 || code > 0x7e) {
            out += "\\x";
            out += kDigits[code >> 4];
            out += kDigits[code & 15];
        } else {
            out += letter;
        }
    }
}

void write_json_line(std::string& out, const Record& record, std::int64_t unix_us) {
    const auto string = [&out](const char* name, std::string_view value) {
        out += ",\"";
        out += name;
        out += "\":\"";
        append_json(out, value);
        out += '"';
    };
    const auto number = [&out](const char* name, auto value) {
        out += ",\"";
        out += name;
        out += "\":";
        append_number(out, value);
    };
    out += "{\"time\":\"";
    append_time(out, unix_us);
    out += '"';
    string("client", record.client_address());
    string("method", record.head.method());
    string("host", record.head.host());
    string("target", record.head.target());
    string("protocol", version_text(record.version));
    number("status", record.status);
    number("bytes_out", record.bytes_out);
    string("user_agent", record.head.user_agent());
    for_each_field(record, string, number);
    out += "}\n";
}

void write_text_line(std::string& out, const Record& record, std::int64_t unix_us) {
    const auto quoted = [&out](std::string_view value) {
        out += '"';
        append_text(out, value);
        out += '"';
    };
    append_text(out, record.client_address());
    out += " - [";
    append_time(out, unix_us);
    out += "] \"";
    append_text(out, record.head.method());
    out += ' ';
    append_text(out, record.head.target());
    out += ' ';
    out += version_text(record.version);
    out += "\" ";
    append_number(out, record.status);
    out += ' ';
    append_number(out, record.bytes_out);
    out += ' ';
    quoted(record.head.host());
    out += ' ';
    quoted(record.head.user_agent());
    for_each_field(
        record,
        [&](const char* name, std::string_view value) {
            out += ' ';
            out += name;
            out += '=';
            quoted(value);
        },
        [&](const char* name, auto value) {
            out += ' ';
            out += name;
            out += '=';
            append_number(out, value);
        });
    out += '\n';
}

}  // namespace penstock::proxy
