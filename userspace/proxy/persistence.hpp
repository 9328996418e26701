// SPDX-License-Identifier: Apache-2.0
// Session persistence (Gateway API GEP-1619 as of v1.7.0): a client stays with the endpoint that it had first, inside the backend that the
// weights choose, which they choose anew for each request. The client keeps a sealed token in a cookie or header field; it names its
// endpoints by digests of their addresses, those of several backends and rules of one name together (each rule sees its own: rules share no
// session), and when the session began and was used last. A token that does not open or has run out counts for nothing; an endpoint that is gone is chosen anew and the client told.
// The worker keeps no state. Tokens are good wherever the same keys are.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "schema/views.hpp"
#include "userspace/base/ip.hpp"
#include "userspace/http/headers.hpp"
#include "userspace/tls/seal.hpp"

namespace penstock::proxy {

namespace fb = penstock::snapshot;

// What tokens are sealed with: the first for new ones.
using Seals = std::vector<tls::Seal>;
tls::Seal token_seal(std::string_view secret);
// Good in this process only; the same each time.
std::shared_ptr<const Seals> seals_of_this_process();

// How an endpoint is called in tokens: the same on every node, and after every restart.
std::uint64_t endpoint_digest(const Endpoint& endpoint);

// What tells a rule's pins from those of all others, over edits that leave it its name or place.
std::uint64_t session_scope(const fb::Rule& rule);

struct SessionToken {
    static constexpr std::size_t kPinsMax = 16;

    std::uint32_t began_s = 0, used_s = 0;  // of the Unix clock
    std::vector<std::uint64_t> pins;        // of endpoints by pin(), the last one chosen first
    bool current = true;                    // sealed with the current key
};

// Of one rule.
class Persistence {
public:
    // `spec` must stay.
    Persistence(const fb::Persistence& spec, std::shared_ptr<const Seals> seals, std::uint64_t scope) : spec_(spec), seals_(std::move(seals)), scope_(scope) {}

    // How this rule calls the endpoint of that digest.
    [[nodiscard]] std::uint64_t pin(std::uint64_t digest) const { return digest ^ scope_; }

    // The token that the client sent, if there is one that counts at `now_s`.
    [[nodiscard]] std::optional<SessionToken> read(const http::Headers& headers, std::uint32_t now_s) const;
    // Whether a token that still holds should be told again: so that its time of use, or its key, does not grow old.
    [[nodiscard]] bool is_stale(const SessionToken& token, std::uint32_t now_s) const;

    // The response field that tells the client. `secure`: it came over TLS. A cookie is one of several; a header field has no second.
    [[nodiscard]] bool is_cookie() const { return spec_.type() == fb::PersistenceType::Cookie; }
    [[nodiscard]] std::string_view field_name() const { return is_cookie() ? std::string_view("Set-Cookie") : spec_.name()->string_view(); }
    [[nodiscard]] std::string field_value(const SessionToken& token, bool secure, std::uint32_t now_s) const;

private:
    [[nodiscard]] std::optional<SessionToken> open(std::string_view text, std::uint32_t now_s) const;

    const fb::Persistence& spec_;
    std::shared_ptr<const Seals> seals_;
    std::uint64_t scope_;
};

}  // namespace penstock::proxy
