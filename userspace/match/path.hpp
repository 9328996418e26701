// SPDX-License-Identifier: Apache-2.0
// What a request's path is for matching and for the backend. Decided (docs/reference/routing.md):
// - Dot segments are resolved (RFC 3986 5.2.4), also where a dot is written %2e, since a backend may do so and a rule would be slipped past.
// - A path that climbs above the root is refused; so is one with a step upwards that RFC 3986 does not see but some servers do: between
//   encoded separators ("/a%2f..%2fb", "/a%5c..%5cb") or before parameters ("/a/..;x/b").
// - All else stays as it is: empty elements ("//"), %2F and ;parameters mean something to some applications. Nothing is decoded.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::match {

// The path to go on with: `path` itself, as most need no change, or `room` with what it resolves to. Nothing: it is refused.
// `path` starts with "/", or is no path ("*") and stays as it is.
std::optional<std::string_view> normal_path(std::string_view path, std::string& room);

}  // namespace penstock::match
