// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/proxy_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace penstock::proxy {

namespace {

constexpr std::string_view kFirst = "PROXY ";
constexpr std::size_t kFirstMax = 107;  // a line of version 1 with its end
constexpr std::string_view kSecond("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kSecondHead = 16;  // signature, version and command, family and protocol, length

bool begins(std::string_view bytes, std::string_view with) {
    const std::size_t size = std::min(bytes.size(), with.size());
    return bytes.substr(0, size) == with.substr(0, size);
}

std::uint8_t byte_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint8_t>(bytes[at]); }
std::uint16_t short_at(std::string_view bytes, std::size_t at) { return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1)); }

// ---- version 1 ------------------------------------------------------------------------------------------------------------
// The text up to the next space, which is dropped; the rest if there is none.
std::string_view next_word(std::string_view& line) {
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
    return word;
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || (text.size() > 1 && text[0] == '0')) {
        return std::nullopt;
    }
    return port;
}

bool take_addresses(std::string_view line, bool v6, ProxyHeader& header) {
    if (std::count(line.begin(), line.end(), ' ') != 3) {
        return false;
    }
    const std::array<std::string_view, 2> texts = {next_word(line), next_word(line)};
    const std::array<std::optional<std::uint16_t>, 2> ports = {port_of(next_word(line)), port_of(next_word(line))};
    std::array<Endpoint, 2> ends;
    for (std::size_t i = 0; i < 2; ++i) {
        const auto address = IpAddress::parse(texts[i]);
        if (!address || !ports[i] || (texts[i].find(':') != std::string_view::npos) != v6) {
            return false;
        }
        ends[i] = {*address, *ports[i]};
    }
    header.source = ends[0];
    header.destination = ends[1];
    return true;
}

ProxyProgress parse_first(std::string_view bytes, ProxyHeader& header) {
    const std::size_t end = bytes.substr(0, kFirstMax).find('\n');
    if (end == std::string_view::npos) {
        return bytes.size() >= kFirstMax ? ProxyProgress::rejected : ProxyProgress::more;
    }
    std::string_view line = bytes.substr(kFirst.size(), end - kFirst.size());
    if (!line.ends_with('\r')) {
        return ProxyProgress::rejected;
    }
    line.remove_suffix(1);
    header.size = end + 1;
    const std::string_view family = next_word(line);
    if (family == "UNKNOWN") {  // whatever follows is to be ignored
        return ProxyProgress::done;
    }
    if (family != "TCP4" && family != "TCP6") {
        return ProxyProgress::rejected;
    }
    return take_addresses(line, family == "TCP6", header) ? ProxyProgress::done : ProxyProgress::rejected;
}

// ---- version 2 ------------------------------------------------------------------------------------------------------------
//  0                12        13        14       16
//  | signature (12) | ver cmd | fam pro | length | addresses | type (1) length (2) value | ...
IpAddress address_at(std::string_view bytes, std::size_t at, bool v6) {
    IpAddress address = IpAddress::any(Family::v4);
    if (!v6) {
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, address.bytes.begin() + 12);
        return address;
    }
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 16, address.bytes.begin());
    const bool mapped = std::equal(address.bytes.begin(), address.bytes.begin() + 12, IpAddress::any(Family::v4).bytes.begin());
    address.family = mapped ? Family::v4 : Family::v6;
    return address;
}

// What stands beside the addresses is nothing to us, but it must be what it claims to be.
bool are_values(std::string_view bytes) {
    while (!bytes.empty()) {
        if (bytes.size() < 3 || bytes.size() - 3 < short_at(bytes, 1)) {
            return false;
        }
        bytes.remove_prefix(3U + short_at(bytes, 1));
    }
    return true;
}

bool take_body(std::string_view body, std::uint8_t family, ProxyHeader& header) {
    constexpr std::size_t kUnixSize = 216;
    std::size_t size = 0;
    switch (family) {
        case 0x00: return true;  // not known; what follows is to be ignored
        case 0x11: size = 12; break;
        case 0x21: size = 36; break;
        case 0x31: size = kUnixSize; break;
        default: return false;  // datagrams, on a stream; or nothing that exists
    }
    if (body.size() < size || !are_values(body.substr(size))) {
        return false;
    }
    if (size != kUnixSize) {
        const bool v6 = family == 0x21;
        const std::size_t each = v6 ? 16 : 4;
        header.source = {address_at(body, 0, v6), short_at(body, 2 * each)};
        header.destination = {address_at(body, each, v6), short_at(body, 2 * each + 2)};
    }
    return true;
}

ProxyProgress parse_second(std::string_view bytes, ProxyHeader& header) {
    if (bytes.size() > 12 && byte_at(bytes, 12) != 0x20 && byte_at(bytes, 12) != 0x21) {
        return ProxyProgress::rejected;
    }
    if (bytes.size() < kSecondHead) {
        return ProxyProgress::more;
    }
    const std::size_t size = kSecondHead + short_at(bytes, 14);
    if (size > kProxyHeaderMax) {
        return ProxyProgress::rejected;
    }
    if (bytes.size() < size) {
        return ProxyProgress::more;
    }
    header.size = size;
    const bool local = byte_at(bytes, 12) == 0x20;
    return local || take_body(bytes.substr(kSecondHead, size - kSecondHead), byte_at(bytes, 13), header) ? ProxyProgress::done : ProxyProgress::rejected;
}

void add_short(std::string& out, std::uint16_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value & 0xff);
}

std::string text_of(const IpAddress& address, bool v6) { return (v6 && address.family == Family::v4 ? "::ffff:" : "") + address.text(); }

}  // namespace

ProxyProgress parse_proxy_header(std::string_view bytes, fb::ProxyProtocol accepted, ProxyHeader& header) {
    header = {};
    if (bytes.empty()) {
        return ProxyProgress::more;
    }
    if (accepted != fb::ProxyProtocol::V2 && begins(bytes, kFirst)) {
        return bytes.size() < kFirst.size() ? ProxyProgress::more : parse_first(bytes, header);
    }
    if (accepted != fb::ProxyProtocol::V1 && begins(bytes, kSecond)) {
        return bytes.size() < kSecond.size() ? ProxyProgress::more : parse_second(bytes, header);
    }
    return ProxyProgress::rejected;
}

std::string proxy_header(fb::ProxyProtocol version, const std::optional<Endpoint>& source, const std::optional<Endpoint>& destination) {
    const bool known = source && destination;
    const bool v6 = known && (source->address.family == Family::v6 || destination->address.family == Family::v6);
    if (version == fb::ProxyProtocol::V1) {
        return known ? "PROXY TCP" + std::string(v6 ? "6 " : "4 ") + text_of(source->address, v6) + " " + text_of(destination->address, v6) + " " +
                           std::to_string(source->port) + " " + std::to_string(destination->port) + "\r\n"
                     : "PROXY UNKNOWN\r\n";
    }
    std::string out(kSecond);
    if (!known) {
        return out.append("\x20\0\0\0", 4);
    }
    out += '\x21';
    out += v6 ? '\x21' : '\x11';
    add_short(out, v6 ? 36 : 12);
    for (const Endpoint& end : {*source, *destination}) {
        out.append(end.address.bytes.begin() + (v6 ? 0 : 12), end.address.bytes.end());
    }
    add_short(out, source->port);
    add_short(out, destination->port);
    return out;
}

}  // namespace penstock::proxy
