// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/language.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

#include "userspace/http/writer.hpp"

namespace penstock::proxy {

namespace {

// ---- Accept ---------------------------------------------------------------------------------------------------------------
struct Offer {
    Language language;
    std::string_view type;
    // Of the most specific range that names it.
    int quality = 0;      // thousandths
    int specificity = 0;  // 3: the type, 2: of its kind, 1: any
    int position = 0;     // in the list
};

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// "0.75" is 750; none if it is no qvalue.
std::optional<int> thousandths_of(std::string_view text) {
    if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1') || (text.size() > 1 && text[1] != '.')) {
        return std::nullopt;
    }
    int result = (text[0] - '0') * 1000;
    int place = 100;
    for (const char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
        if (digit < '0' || digit > '9') {
            return std::nullopt;
        }
        result += (digit - '0') * place;
        place /= 10;
    }
    return result <= 1000 ? std::optional(result) : std::nullopt;
}

// Of a media range's parameters; 0 for one that cannot be read, which nobody asked for.
int quality_of(std::string_view parameters) {
    while (!parameters.empty()) {
        const std::size_t end = std::min(parameters.find(';'), parameters.size());
        const std::string_view one = trimmed(parameters.substr(0, end));
        parameters.remove_prefix(std::min(end + 1, parameters.size()));
        if (one.starts_with("q=") || one.starts_with("Q=")) {
            return thousandths_of(one.substr(2)).value_or(0);
        }
    }
    return 1000;
}

int specificity_of(std::string_view range, std::string_view type) {
    if (http::equals_ignoring_case(range, type)) {
        return 3;
    }
    const std::size_t kind = type.find('/') + 1;
    if (range.size() == kind + 1 && range.back() == '*' && http::equals_ignoring_case(range.substr(0, kind), type.substr(0, kind))) {
        return 2;
    }
    return range == "*/*" ? 1 : 0;
}

Language preferred_of(std::string_view accept) {
    if (accept.empty() || accept == "*/*") {
        return Language::text;
    }
    std::array<Offer, 3> offers = {Offer{.language = Language::text, .type = "text/plain"}, Offer{.language = Language::json, .type = "application/json"},
                                   Offer{.language = Language::html, .type = "text/html"}};
    int position = 0;
    http::for_each_token(accept, [&](std::string_view element) {
        const std::size_t end = std::min(element.find(';'), element.size());
        const std::string_view range = trimmed(element.substr(0, end));
        const int quality = quality_of(element.substr(std::min(end + 1, element.size())));
        ++position;
        for (Offer& offer : offers) {
            const int specificity = specificity_of(range, offer.type);
            if (specificity > offer.specificity) {
                offer.quality = quality;
                offer.specificity = specificity;
                offer.position = position;
            }
        }
    });
    const auto better = [](const Offer& one, const Offer& other) {
        return std::tuple(one.quality, one.specificity, -one.position) < std::tuple(other.quality, other.specificity, -other.position);
    };
    return std::max_element(offers.begin(), offers.end(), better)->language;  // the first of equals
}

// ---- pages ----------------------------------------------------------------------------------------------------------------
std::string json_of(std::string_view text) {
    std::string result;
    for (const char letter : text) {
        if (letter == '"' || letter == '\\') {
            result += '\\';
        }
        const auto byte = static_cast<unsigned char>(letter);
        result += byte < 0x20 || byte > 0x7e ? '?' : letter;
    }
    return result;
}

std::string html_of(std::string_view text) {
    std::string result;
    for (const char letter : text) {
        switch (letter) {
            case '<': result += "&lt;"; break;
            case '>': result += "&gt;"; break;
            case '&': result += "&amp;"; break;
            case '"': result += "&quot;"; break;
            case '\'': result += "&#39;"; break;
            default: result += letter;
        }
    }
    return result;
}

}  // namespace

Language language_of(const http::RequestHead& head, HttpVersion version) {
    if (version == HttpVersion::http2 && head.headers.find("content-type").value_or("").starts_with("application/grpc")) {
        return Language::grpc;
    }
    std::string room;
    return preferred_of(head.headers.joined("accept", room).value_or(""));
}

std::string page_of(const Page& page, Language language) {
    const std::string title = fmt::format("{} {}", page.status, http::reason_phrase(page.status));
    switch (language) {
        case Language::json:
            return fmt::format(R"({{"status":{},"reason":"{}","message":"{}","request_id":"{}"}})" "\n", page.status, page.reason, json_of(page.text), json_of(page.request_id));
        case Language::html:
            return fmt::format("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{0}</title></head>\n"
                               "<body><h1>{0}</h1><p>{1}: {2}</p><p>request {3}</p></body></html>\n",
                               title, page.reason, html_of(page.text), html_of(page.request_id));
        default: return fmt::format("{}\n{}: {}\nrequest {}\n", title, page.reason, page.text, page.request_id);
    }
}

std::string_view media_type_of(Language language) {
    switch (language) {
        case Language::json: return "application/json";
        case Language::html: return "text/html; charset=utf-8";
        case Language::grpc: return "application/grpc";
        default: return "text/plain; charset=utf-8";
    }
}

}  // namespace penstock::proxy
