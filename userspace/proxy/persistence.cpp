// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/persistence.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "userspace/base/assert.hpp"

namespace penstock::proxy {

namespace {

constexpr char kVersion = 1;
constexpr std::uint32_t kSkewS = 300;          // by which the clocks of two nodes may differ
constexpr int kTokensMax = 4;                  // that are tried of one request: cookies of one name may come from several paths
constexpr std::string_view kPurpose = "penstock session persistence 1";

void put(std::string& out, std::uint64_t number, int bytes) {
    for (int i = 0; i < bytes; ++i) {
        out += static_cast<char>(number >> (8 * i) & 255);
    }
}

std::uint64_t take(std::string_view& from, std::size_t bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = bytes; i-- > 0;) {
        number = number << 8 | static_cast<std::uint8_t>(from[i]);
    }
    from.remove_prefix(bytes);
    return number;
}

// version, began, used, pins; the size says how many
std::string encoded(const SessionToken& token) {
    std::string out(1, kVersion);
    put(out, token.began_s, 4);
    put(out, token.used_s, 4);
    for (const std::uint64_t pin : token.pins) {
        put(out, pin, 8);
    }
    return out;
}

std::optional<SessionToken> decoded(std::string_view value) {
    if (value.size() < 9 || value[0] != kVersion || (value.size() - 9) % 8 != 0 || (value.size() - 9) / 8 > SessionToken::kPinsMax) {
        return std::nullopt;
    }
    value.remove_prefix(1);
    SessionToken token;
    token.began_s = static_cast<std::uint32_t>(take(value, 4));
    token.used_s = static_cast<std::uint32_t>(take(value, 4));
    while (!value.empty()) {
        token.pins.push_back(take(value, 8));
    }
    return token;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

// Calls `each(value)` for the cookies of that name, until it returns true.
template <class Each>
void visit_cookies(const http::Headers& headers, std::string_view name, Each each) {
    for (const auto& field : headers) {
        std::string_view rest = http::equals_ignoring_case(field.name, "cookie") ? field.value : std::string_view();
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(';'), rest.size());
            const std::string_view pair = trimmed(rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
            if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=' && each(pair.substr(name.size() + 1))) {
                return;
            }
        }
    }
}

// FNV-1a, 64 bits.
std::uint64_t digest_of(std::string_view text) {
    std::uint64_t digest = 0xcbf29ce484222325U;
    for (const char byte : text) {
        digest = (digest ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3U;
    }
    return digest;
}

std::uint32_t since(std::uint32_t then_s, std::uint32_t now_s) { return now_s > then_s ? now_s - then_s : 0; }

}  // namespace

tls::Seal token_seal(std::string_view secret) { return {secret, kPurpose}; }

std::shared_ptr<const Seals> seals_of_this_process() {
    static const auto seals = [] {
        std::array<char, tls::Seal::kKeyBytes> secret;
        PST_ASSERT(::getrandom(secret.data(), secret.size(), 0) == static_cast<ssize_t>(secret.size()));
        return std::make_shared<const Seals>(Seals{token_seal({secret.data(), secret.size()})});
    }();
    return seals;
}

std::uint64_t endpoint_digest(const Endpoint& endpoint) {
    std::string text(endpoint.address.bytes.begin(), endpoint.address.bytes.end());
    text += static_cast<char>(endpoint.port >> 8);
    text += static_cast<char>(endpoint.port & 255);
    return digest_of(text);
}

std::uint64_t session_scope(const fb::Rule& rule) {
    const std::string_view name = fb::text(rule.name());
    return digest_of(fb::path_of(*rule.object()) + "/" + (name.empty() ? "#" + std::to_string(rule.index()) : std::string(name)));
}

std::optional<SessionToken> Persistence::open(std::string_view text, std::uint32_t now_s) const {
    for (const tls::Seal& seal : *seals_) {
        const auto value = seal.open(text, spec_.name()->string_view());
        auto token = value ? decoded(*value) : std::nullopt;
        if (!token) {
            continue;
        }
        const bool early = token->began_s > now_s + kSkewS;
        const bool over = spec_.absolute_timeout_s() != 0 && since(token->began_s, now_s) >= spec_.absolute_timeout_s();
        // A token is told again when a quarter of the time has passed since it was: by then it may have been used.
        const bool idle = spec_.idle_timeout_s() != 0 && since(token->used_s, now_s) >= spec_.idle_timeout_s() + spec_.idle_timeout_s() / 4;
        if (early || over || idle) {
            return std::nullopt;
        }
        token->current = &seal == seals_->data();
        return token;
    }
    return std::nullopt;
}

std::optional<SessionToken> Persistence::read(const http::Headers& headers, std::uint32_t now_s) const {
    std::optional<SessionToken> found;
    if (!is_cookie()) {
        const auto text = headers.find(spec_.name()->string_view());
        return text ? open(trimmed(*text), now_s) : found;
    }
    int tried = 0;
    visit_cookies(headers, spec_.name()->string_view(), [&](std::string_view value) {
        found = open(value, now_s);
        return found || ++tried == kTokensMax;
    });
    return found;
}

bool Persistence::is_stale(const SessionToken& token, std::uint32_t now_s) const {
    return !token.current || (spec_.idle_timeout_s() != 0 && since(token.used_s, now_s) >= std::max(spec_.idle_timeout_s() / 4, 1U));
}

std::string Persistence::field_value(const SessionToken& token, bool secure, std::uint32_t now_s) const {
    const std::string text = seals_->front().seal(encoded(token), spec_.name()->string_view());
    if (!is_cookie()) {
        return text;
    }
    const std::string_view path = fb::text(spec_.path());
    std::string cookie = spec_.name()->str() + "=" + text + "; Path=" + std::string(path.empty() ? "/" : path);
    if (spec_.permanent() && spec_.absolute_timeout_s() != 0) {
        cookie += "; Max-Age=" + std::to_string(spec_.absolute_timeout_s() - std::min(since(token.began_s, now_s), spec_.absolute_timeout_s()));
    }
    // Lax, not Strict: a client that comes back from a login elsewhere must find the endpoint that sent it there.
    cookie += "; HttpOnly; SameSite=Lax";
    return cookie + (secure ? "; Secure" : "");
}

}  // namespace penstock::proxy
