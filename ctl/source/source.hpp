// SPDX-License-Identifier: Apache-2.0
// What a source gives: objects, and what it has to say about its texts. The sources are `folder`, `loaded` and `cluster`; merge.hpp makes one
// store of them. A copy of what is given shares what did not change since, so that those who take it need look at that alone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/model/decode.hpp"
#include "ctl/model/store.hpp"

namespace penstock::source {

enum class State {
    ok,
    degraded,  // something is not used, or is used in its last good version
    failed     // nothing can be read
};

inline constexpr const char* kClusterKind = "cluster";

struct Given {
    std::string name;  // "folder /etc/penstock", "loaded"
    std::string kind;  // "folder", "loaded", kClusterKind
    State state = State::ok;
    model::ObjectMap<model::ObjectPtr> objects;
    std::vector<model::Diagnostic> diagnostics;
};

std::string_view name_of(State state);

// The name of an object that survives restarts and is shown in messages: "HTTPRoute/shop/cart", "GatewayClass//penstock".
std::string name_of(const model::ObjectKey& key);
// The other way; nothing if it is no such name.
std::optional<model::ObjectKey> key_of_name(std::string_view name);

// Where an object is: "folder /etc/penstock: gateway.yaml".
std::string place_of(const std::string& source, const model::Object& object);
// Of an object that is not used because another place has it, too.
model::Diagnostic duplicate_of(const model::Object& object, const std::string& winner);

// Of one text: a file with a million faults is told of in a hundred lines, errors first, and their number.
inline constexpr std::size_t kDiagnosticsMax = 100;
void shorten(std::vector<model::Diagnostic>& diagnostics);

// What a text gives now, where some of it is broken: objects with an error, and all of a text that could not be read to its end, stay
// as they were in `last`.
std::vector<model::ObjectPtr> with_last_good(const model::ParseResult& now, const std::vector<model::ObjectPtr>& last);

}  // namespace penstock::source
