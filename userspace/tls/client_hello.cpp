// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/client_hello.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "userspace/base/ip.hpp"

namespace penstock::tls {

namespace {

constexpr std::uint8_t kHandshake = 22;
constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kRecordMax = 16384 + 256;

// Takes big-endian numbers and vectors off the front; every take is checked, and after a failure all give nothing.
class Reader {
public:
    explicit Reader(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    std::uint32_t number(std::size_t size) {
        const auto part = take(size);
        std::uint32_t value = 0;
        for (const std::uint8_t byte : part) {
            value = value << 8 | byte;
        }
        return value;
    }
    std::span<const std::uint8_t> take(std::size_t size) {
        if (failed_ || size > bytes_.size()) {
            failed_ = true;
            return {};
        }
        const auto part = bytes_.first(size);
        bytes_ = bytes_.subspan(size);
        return part;
    }
    Reader vector(std::size_t length_size) {
        const std::uint32_t length = number(length_size);
        Reader inner(take(length));
        inner.failed_ = failed_;
        return inner;
    }
    [[nodiscard]] bool empty() const { return bytes_.empty(); }
    [[nodiscard]] bool failed() const { return failed_; }
    // Read to the end without a fault.
    [[nodiscard]] bool finished() const { return !failed_ && bytes_.empty(); }

private:
    std::span<const std::uint8_t> bytes_;
    bool failed_ = false;
};

bool is_grease(std::uint32_t value) { return (value & 0x0f0f) == 0x0a0a && (value >> 8) == (value & 0xff); }

// A DNS name as a client sends it: letters, digits, "-", "_", "."; labels of 1 to 63.
bool host_name(std::string& name) {
    if (name.ends_with('.')) {
        name.pop_back();
    }
    std::size_t label = 0;
    for (char& letter : name) {
        const auto byte = static_cast<unsigned char>(letter);
        if (letter == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
            continue;
        }
        if ((std::isalnum(byte) == 0 && letter != '-' && letter != '_') || byte >= 0x80 || ++label > 63) {
            return false;
        }
        letter = static_cast<char>(std::tolower(byte));
    }
    return label > 0 && name.size() <= 253;
}

bool read_server_name(Reader extension, ClientHello& hello) {
    Reader names = extension.vector(2);
    bool seen = false;
    while (!names.empty() && !names.failed()) {
        const std::uint32_t type = names.number(1);
        const std::uint32_t length = names.number(2);
        const auto bytes = names.take(length);
        if (type != 0) {
            continue;
        }
        if (std::exchange(seen, true)) {
            return false;  // one of each type
        }
        hello.server_name.assign(bytes.begin(), bytes.end());
        // RFC 6066 3 wants no address here, but clients that were given one send it: as good as no name.
        if (IpAddress::parse(hello.server_name)) {
            hello.server_name.clear();
        } else if (!host_name(hello.server_name)) {
            return false;
        }
    }
    return !names.failed() && extension.finished();
}

bool read_alpn(Reader extension, ClientHello& hello) {
    Reader list = extension.vector(2);
    while (!list.empty() && !list.failed()) {
        const auto name = list.take(list.number(1));
        if (name.empty()) {
            return false;
        }
        hello.alpn.emplace_back(name.begin(), name.end());
    }
    return !list.failed() && extension.finished();
}

bool read_versions(Reader extension, ClientHello& hello) {
    Reader list = extension.vector(1);
    hello.version_max = 0;
    while (!list.empty() && !list.failed()) {
        const std::uint32_t version = list.number(2);
        if (!is_grease(version)) {
            hello.version_max = std::max(hello.version_max, static_cast<std::uint16_t>(version));
        }
    }
    return !list.failed() && extension.finished();
}

bool read_signatures(Reader extension, ClientHello& hello) {
    Reader list = extension.vector(2);
    while (!list.empty() && !list.failed()) {
        const std::uint32_t scheme = list.number(2);
        const std::uint32_t signature = scheme & 0xff;
        const bool tls12_style = scheme >> 8 <= 6;
        hello.ecdsa |= tls12_style && signature == 3;
        hello.ed25519 |= scheme == 0x0807;
        hello.rsa |= (tls12_style && signature == 1) || (scheme >= 0x0804 && scheme <= 0x0806) || (scheme >= 0x0809 && scheme <= 0x080b);
    }
    return !list.failed() && extension.finished();
}

bool read_extension(std::uint32_t type, Reader body, ClientHello& hello) {
    switch (type) {
        case 0: return read_server_name(body, hello);
        case 13: return read_signatures(body, hello);
        case 16: return read_alpn(body, hello);
        case 43: return read_versions(body, hello);
        default: return true;
    }
}

bool read_extensions(Reader list, ClientHello& hello) {
    std::vector<std::uint32_t> seen;
    while (!list.empty() && !list.failed()) {
        const std::uint32_t type = list.number(2);
        const Reader body = list.vector(2);
        // Twice the same extension is two readings of one hello (RFC 8446 4.2).
        if (body.failed() || std::find(seen.begin(), seen.end(), type) != seen.end() || !read_extension(type, body, hello)) {
            return false;
        }
        seen.push_back(type);
    }
    return list.finished();
}

bool read_body(Reader body, ClientHello& hello) {
    hello = {};
    hello.version_max = static_cast<std::uint16_t>(body.number(2));
    body.take(32);  // random
    const bool session_fits = body.number(1) <= 32;
    return session_fits && !body.failed();
}

bool is_ecdsa_suite(std::uint32_t suite) {
    return suite == 0xc009 || suite == 0xc00a || suite == 0xc023 || suite == 0xc024 || suite == 0xc02b || suite == 0xc02c ||
           (suite >= 0xc0ac && suite <= 0xc0af) || suite == 0xcca9;
}

// Before TLS 1.3 a suite names the kind of key, too; a client may offer schemes that none of its suites can use.
void limit_by_suites(Reader suites, ClientHello& hello) {
    if (hello.version_max >= 0x0304) {
        return;
    }
    bool ecdsa = false;
    bool other = false;
    while (!suites.empty() && !suites.failed()) {
        const std::uint32_t suite = suites.number(2);
        const bool signalling = suite == 0x00ff || suite == 0x5600 || is_grease(suite);
        ecdsa |= is_ecdsa_suite(suite);
        other |= !is_ecdsa_suite(suite) && !signalling;
    }
    hello.ecdsa &= ecdsa;
    hello.ed25519 &= ecdsa;
    hello.rsa &= other;
}

bool read_hello(std::span<const std::uint8_t> message, ClientHello& hello) {
    Reader body(message);
    if (!read_body(body, hello)) {
        return false;
    }
    body.take(2 + 32);
    body.vector(1);                              // session id
    const Reader ciphers = body.vector(2);
    const Reader compressions = body.vector(1);
    if (body.failed() || ciphers.empty() || compressions.empty()) {
        return false;
    }
    if (body.empty()) {
        return true;  // no extensions: TLS 1.2 and older
    }
    const Reader extensions = body.vector(2);
    if (!body.finished() || !read_extensions(extensions, hello)) {
        return false;
    }
    limit_by_suites(ciphers, hello);
    return true;
}

HelloResult malformed(std::string& fault, const char* why) {
    fault = why;
    return HelloResult::malformed;
}

}  // namespace

HelloResult parse_client_hello(std::span<const std::uint8_t> bytes, ClientHello& hello, std::string& fault) {
    std::vector<std::uint8_t> message;
    for (std::size_t records = 0;; ++records) {
        if (!bytes.empty() && (bytes[0] != kHandshake || (bytes.size() > 1 && bytes[1] != 3))) {
            return records == 0 ? HelloResult::not_tls : malformed(fault, "another record amid the hello");
        }
        if (records > kRecordsMax) {
            return malformed(fault, "spread over too many records");
        }
        if (bytes.size() < 5) {
            return HelloResult::more;
        }
        const std::size_t length = static_cast<std::size_t>(bytes[3]) << 8 | bytes[4];
        if (length == 0 || length > kRecordMax) {
            return malformed(fault, "a record's length is 0 or too large");
        }
        const std::size_t here = std::min(length, bytes.size() - 5);
        message.insert(message.end(), bytes.begin() + 5, bytes.begin() + 5 + static_cast<std::ptrdiff_t>(here));
        if (!message.empty() && message[0] != kClientHello) {
            return malformed(fault, "the first handshake message is no ClientHello");
        }
        if (message.size() >= 4) {
            const std::size_t size = static_cast<std::size_t>(message[1]) << 16 | static_cast<std::size_t>(message[2]) << 8 | message[3];
            if (size > kHelloMax) {
                return malformed(fault, "larger than 16 KiB");
            }
            if (message.size() >= size + 4) {
                return read_hello(std::span(message).subspan(4, size), hello) ? HelloResult::done : malformed(fault, "its fields contradict each other");
            }
        }
        if (here < length) {
            return HelloResult::more;
        }
        bytes = bytes.subspan(5 + length);
    }
}

}  // namespace penstock::tls
