// SPDX-License-Identifier: Apache-2.0
#include "ctl/model/formats.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "userspace/base/ip.hpp"

namespace penstock::model {
namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alnum(char c) { return is_letter(c) || is_digit(c); }

template <class Inner, class Edge>
bool is_word(std::string_view text, std::size_t size_max, Inner inner, Edge edge) {
    return !text.empty() && text.size() <= size_max && edge(text.front()) && edge(text.back()) && std::all_of(text.begin(), text.end(), inner);
}

bool is_label_text(std::string_view text, std::size_t size_max) {
    return is_word(
        text, size_max, [](char c) { return is_lower(c) || is_digit(c) || c == '-'; }, [](char c) { return is_lower(c) || is_digit(c); });
}

// The API's patterns bound the whole name only, not each label.
bool is_dotted(std::string_view text) {
    while (true) {
        const std::size_t dot = text.find('.');
        if (!is_label_text(text.substr(0, dot), 253)) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(dot + 1);
    }
}

bool is_qualified_word(std::string_view text) {
    return is_word(
        text, 63, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; }, [](char c) { return is_alnum(c); });
}

}  // namespace

bool is_dns_label(std::string_view text) { return is_label_text(text, 63); }
bool is_service_name(std::string_view text) { return is_dns_label(text) && is_lower(text.front()); }
bool is_dns_subdomain(std::string_view text) { return text.size() <= 253 && is_dotted(text); }

bool is_hostname(std::string_view text) {
    const std::string_view rest = text.starts_with("*.") ? text.substr(2) : text;
    return text.size() <= 253 && is_dotted(rest) && !IpAddress::parse(text);
}

bool is_label_key(std::string_view text) {
    const std::size_t slash = text.find('/');
    return slash == std::string_view::npos ? is_qualified_word(text)
                                           : is_dns_subdomain(text.substr(0, slash)) && is_qualified_word(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) { return text.empty() || is_qualified_word(text); }

bool is_prefixed_path(std::string_view text) {
    const std::size_t slash = text.find('/');
    return slash != std::string_view::npos && text.size() <= 253 && is_dotted(text.substr(0, slash)) && slash + 1 < text.size() &&
           std::all_of(text.begin() + static_cast<std::ptrdiff_t>(slash) + 1, text.end(),
                       [](char c) { return is_alnum(c) || std::string_view("/-._~%!$&'()*+,;=:").find(c) != std::string_view::npos; });
}

bool is_group(std::string_view text) { return text.empty() || is_dns_subdomain(text); }

bool is_kind(std::string_view text) {
    return is_word(
               text, 63, [](char c) { return is_alnum(c) || c == '-'; }, [](char c) { return is_alnum(c); }) &&
           is_letter(text.front());
}

bool is_protocol(std::string_view text) {
    const std::size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
        return text.size() <= 255 && is_dotted(text.substr(0, slash)) && slash + 1 < text.size() &&
               std::all_of(text.begin() + static_cast<std::ptrdiff_t>(slash) + 1, text.end(), is_alnum);
    }
    return is_word(
        text, 255, [](char c) { return is_alnum(c) || c == '-'; }, is_alnum);
}

bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= 256 && std::all_of(text.begin(), text.end(), [](char c) {
               return is_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
           });
}

bool is_config_key(std::string_view text) {
    return !text.empty() && text.size() <= 253 && text != "." && text != ".." &&
           std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_path_text(std::string_view text) {
    const auto is_hex = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); };
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '%' && i + 2 < text.size() && is_hex(text[i + 1]) && is_hex(text[i + 2]);
        if (!escape && !is_alnum(text[i]) && std::string_view("-/._~!$&'()*+,;=:@").find(text[i]) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

std::size_t utf8_end(std::string_view text) {
    // Of a first byte: how many bytes follow, and the least number that such a form may tell.
    struct Form {
        unsigned char mask, mark;
        std::size_t more;
        std::uint32_t least;
    };
    static constexpr Form kForms[] = {{0x80, 0x00, 0, 0}, {0xE0, 0xC0, 1, 0x80}, {0xF0, 0xE0, 2, 0x800}, {0xF8, 0xF0, 3, 0x10000}};
    std::size_t at = 0;
    while (at < text.size()) {
        const auto first = static_cast<unsigned char>(text[at]);
        const auto* form = std::find_if(std::begin(kForms), std::end(kForms), [&](const Form& f) { return (first & f.mask) == f.mark; });
        if (form == std::end(kForms) || text.size() - at <= form->more) {
            return at;
        }
        std::uint32_t number = first & static_cast<unsigned char>(~form->mask);
        for (std::size_t i = 1; i <= form->more; ++i) {
            const auto next = static_cast<unsigned char>(text[at + i]);
            if ((next & 0xC0) != 0x80) {
                return at;
            }
            number = number << 6 | (next & 0x3FU);
        }
        if (number < form->least || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF)) {
            return at;
        }
        at += form->more + 1;
    }
    return at;
}

std::optional<std::uint32_t> duration_ms(std::string_view text) {
    struct Unit {
        std::string_view name;
        std::uint64_t ms;
    };
    static constexpr std::array<Unit, 4> kUnits = {{{"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}}};
    std::uint64_t total = 0;
    int numbers = 0;
    for (; !text.empty(); ++numbers) {
        std::uint64_t number = 0;
        std::size_t digits = 0;
        for (; digits < text.size() && digits < 6 && is_digit(text[digits]); ++digits) {
            number = number * 10 + static_cast<std::uint64_t>(text[digits] - '0');
        }
        const std::string_view rest = text.substr(digits);
        const auto unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return rest.starts_with(u.name); });
        if (digits == 0 || digits > 5 || unit == kUnits.end() || numbers == 4) {
            return std::nullopt;
        }
        total += number * unit->ms;
        text = rest.substr(unit->name.size());
    }
    constexpr std::uint64_t kMax = std::numeric_limits<std::uint32_t>::max();
    return numbers != 0 ? std::optional(static_cast<std::uint32_t>(std::min(total, kMax))) : std::nullopt;
}

namespace {

// Days since 1970-01-01 of a date of the Gregorian calendar, and back: years begin in March, so the leap day is the last.
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const auto year_of_era = static_cast<unsigned>(year - era * 400);
    const unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    const unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + static_cast<std::int64_t>(day_of_era) - 719468;
}

// `count` digits at `at`; -1 if they are not there.
int number_at(std::string_view text, std::size_t at, std::size_t count) {
    int value = 0;
    for (std::size_t i = at; i < at + count; ++i) {
        if (i >= text.size() || !is_digit(text[i])) {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

// "Z", "+01:00": seconds east of Greenwich.
std::optional<int> zone_s(std::string_view text) {
    if (text == "Z" || text == "z") {
        return 0;
    }
    const int hours = number_at(text, 1, 2);
    const int minutes = number_at(text, 4, 2);
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
        return std::nullopt;
    }
    return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

bool is_leap(int year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

int days_in(int year, int month) {
    constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap(year) ? 1 : 0);
}

}  // namespace

std::optional<std::int64_t> time_s(std::string_view text) {
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
        return std::nullopt;
    }
    const int year = number_at(text, 0, 4);
    const int month = number_at(text, 5, 2);
    const int day = number_at(text, 8, 2);
    const int hour = number_at(text, 11, 2);
    const int minute = number_at(text, 14, 2);
    const int second = number_at(text, 17, 2);
    if (year < 0 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60) {
        return std::nullopt;
    }
    std::size_t end = 19;
    if (text[end] == '.') {
        for (++end; end < text.size() && is_digit(text[end]); ++end) {
        }
    }
    const auto zone = zone_s(text.substr(end));
    if (!zone || text[end - 1] == '.') {
        return std::nullopt;
    }
    return days_of(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86400 + hour * 3600 + minute * 60 + second - *zone;
}

std::string time_text(std::int64_t unix_s) {
    const std::int64_t days = (unix_s >= 0 ? unix_s : unix_s - 86399) / 86400;
    const std::int64_t second = unix_s - days * 86400;
    const std::int64_t shifted = days + 719468;
    const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    const std::int64_t day_of_era = shifted - era * 146097;
    const std::int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
    const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    const auto padded = [](std::int64_t number, std::size_t width) {
        std::string digits = std::to_string(number);
        return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
    };
    return padded(era * 400 + year_of_era + (month <= 2 ? 1 : 0), 4) + "-" + padded(month, 2) + "-" +
           padded(day_of_year - (153 * shifted_month + 2) / 5 + 1, 2) + "T" + padded(second / 3600, 2) + ":" + padded(second / 60 % 60, 2) + ":" +
           padded(second % 60, 2) + "Z";
}

}  // namespace penstock::model
