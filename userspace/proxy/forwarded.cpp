// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/forwarded.hpp"

#include <algorithm>
#include <optional>

#include "userspace/base/ip.hpp"

namespace penstock::proxy {

namespace {

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// With or without a port, as proxies write it.
std::optional<std::string> address_of(std::string_view entry) {
    if (const auto address = IpAddress::parse(entry)) {
        return address->text();
    }
    if (const auto endpoint = Endpoint::parse(entry)) {
        return endpoint->address.text();
    }
    return std::nullopt;
}

// The entry that the farthest trusted hop has written; none if one of them is missing or no address.
std::optional<std::string> nth_from_right(std::string_view chain, std::uint32_t hops) {
    std::optional<std::string> address;
    for (std::uint32_t hop = 0; hop < hops; ++hop) {
        if (hop != 0 && chain.empty()) {
            return std::nullopt;
        }
        const std::size_t comma = chain.rfind(',');
        address = address_of(trimmed(comma == std::string_view::npos ? chain : chain.substr(comma + 1)));
        if (!address) {
            return std::nullopt;
        }
        chain = comma == std::string_view::npos ? std::string_view() : chain.substr(0, comma);
    }
    return address;
}

// RFC 7239 4: a token, or a quoted string. Hosts of requests have neither quotes nor backslashes.
std::string quoted_if_needed(std::string_view text) {
    const bool token = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
    });
    return token ? std::string(text) : "\"" + std::string(text) + "\"";
}

std::string element_of(std::string_view host, const ClientFacts& client) {
    const bool v6 = client.address.find(':') != std::string::npos;
    return "for=" + quoted_if_needed(v6 ? "[" + client.address + "]" : client.address) + ";host=" + quoted_if_needed(host) +
           ";proto=" + (client.tls ? "https" : "http");
}

}  // namespace

Forwarded forwarded_of(const http::Headers& headers, std::string_view host, const ClientFacts& client, std::uint32_t trusted_hops) {
    Forwarded result;
    std::string room;
    const auto chain = headers.joined("x-forwarded-for", room);
    result.chain = chain ? std::string(*chain) + ", " + client.address : client.address;
    result.client = client.address;
    result.scheme = client.tls ? "https" : "http";
    result.host = host;
    auto first = chain && trusted_hops != 0 ? nth_from_right(*chain, trusted_hops) : std::nullopt;
    if (!first) {
        return result;
    }
    result.believed = true;
    result.client = std::move(*first);
    const std::string_view scheme = headers.find("x-forwarded-proto").value_or("");
    if (scheme == "http" || scheme == "https") {
        result.scheme = scheme;
    }
    if (const auto said = headers.find("x-forwarded-host"); said && !said->empty()) {
        result.host = *said;
    }
    std::string more_room;
    if (const auto elements = headers.joined("forwarded", more_room); elements && !elements->empty()) {
        result.elements = std::string(*elements) + ", " + element_of(host, client);
    }
    return result;
}

}  // namespace penstock::proxy
