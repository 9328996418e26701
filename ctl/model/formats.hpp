// SPDX-License-Identifier: Apache-2.0
// The formats of strings in the API: names, host names, durations, times. Pure functions without limits of their own but those named.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::model {

[[nodiscard]] bool is_dns_label(std::string_view text);       // RFC 1123, 1 to 63
[[nodiscard]] bool is_service_name(std::string_view text);    // RFC 1035: a DNS label that begins with a letter
[[nodiscard]] bool is_dns_subdomain(std::string_view text);   // labels with dots between, 1 to 253
[[nodiscard]] bool is_hostname(std::string_view text);        // a subdomain, or "*." before one; no IP address
[[nodiscard]] bool is_label_key(std::string_view text);       // "[prefix/]name"
[[nodiscard]] bool is_label_value(std::string_view text);     // up to 63, may be empty
[[nodiscard]] bool is_prefixed_path(std::string_view text);   // "example.com/what": controller names, types of one's own
[[nodiscard]] bool is_group(std::string_view text);           // "" or a subdomain
[[nodiscard]] bool is_kind(std::string_view text);            // 1 to 63, letters, digits, "-"
[[nodiscard]] bool is_protocol(std::string_view text);        // of a listener: a word, or a prefixed one
[[nodiscard]] bool is_token(std::string_view text);           // RFC 9110: names of headers, 1 to 256
[[nodiscard]] bool is_config_key(std::string_view text);      // of a Secret's or ConfigMap's data
[[nodiscard]] bool is_path_text(std::string_view text);       // characters that a URL's path may have

// Where a text stops being UTF-8; its size if it never does. Overlong forms and surrogates are none.
[[nodiscard]] std::size_t utf8_end(std::string_view text);

// GEP-2257: up to four of "1h", "2m", "3s", "4ms", in any order, each once, of at most five digits. Cut to 2^32-1.
[[nodiscard]] std::optional<std::uint32_t> duration_ms(std::string_view text);
// RFC 3339, to Unix seconds.
[[nodiscard]] std::optional<std::int64_t> time_s(std::string_view text);
[[nodiscard]] std::string time_text(std::int64_t unix_s);  // "2026-01-02T03:04:05Z"

}  // namespace penstock::model
