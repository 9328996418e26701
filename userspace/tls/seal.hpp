// SPDX-License-Identifier: Apache-2.0
// Small values that go out to strangers and come back: unreadable to them, and any change shows. AES-SIV (RFC 5297), which needs no nonce:
// the same value is sealed the same way each time. Text is base64url, fit for cookies and header fields. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::tls {

class Seal {
public:
    static constexpr std::size_t kKeyBytes = 32;
    static constexpr std::size_t kTextMax = 1024;  // of what is opened

    // The key is made of `secret`, of any length, for `purpose` and nothing else.
    Seal(std::string_view secret, std::string_view purpose);
    Seal(const Seal&) = default;
    Seal& operator=(const Seal&) = default;
    ~Seal();

    // `scope`: where the value counts; it opens nowhere else.
    [[nodiscard]] std::string seal(std::string_view value, std::string_view scope) const;
    [[nodiscard]] std::optional<std::string> open(std::string_view text, std::string_view scope) const;

private:
    std::array<std::uint8_t, kKeyBytes> key_;
};

}  // namespace penstock::tls
