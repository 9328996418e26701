// SPDX-License-Identifier: Apache-2.0
// What a request's path is for matching and for the backend. Decided: dot segments are resolved (RFC 3986 5.2.4), also when a dot is
// written %2e, since a backend may do so and a rule would be slipped past; a path that climbs above the root is refused. Empty
// elements ("//") and %2F stay as they are: they mean something to some applications, and no element matching of ours decodes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock::match {

// Whether `path` has something to resolve; most have not, and need no copy.
bool needs_normalising(std::string_view path);
// Nothing if it climbs above the root. `path` starts with "/".
std::optional<std::string> normal_path(std::string_view path);

}  // namespace penstock::match
