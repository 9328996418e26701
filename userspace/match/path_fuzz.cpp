// SPDX-License-Identifier: Apache-2.0
// Paths of strangers: what is let through has no step upwards in any spelling, and is its own normal form.
#include <cstdint>
#include <string>

#include "userspace/base/assert.hpp"
#include "userspace/match/conditions.hpp"
#include "userspace/match/path.hpp"

using namespace penstock::match;

namespace {

// As a server might that decodes first, takes backslashes for slashes and cuts parameters.
bool climbs_for_somebody(std::string_view path) {
    std::string text;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const std::string_view rest = path.substr(i, 3);
        const auto is = [&](char high, char low) { return rest.size() == 3 && rest[0] == '%' && rest[1] == high && (rest[2] | 0x20) == low; };
        const char decoded = is('2', 'e') ? '.' : is('2', 'f') || is('5', 'c') ? '/' : '\0';
        text += decoded != '\0' ? decoded : path[i];
        i += decoded != '\0' ? 2 : 0;
    }
    text += '/';
    for (std::size_t at = text.find("/.."); at != std::string::npos; at = text.find("/..", at + 1)) {
        if (text[at + 3] == '/' || text[at + 3] == ';') {
            return true;
        }
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const std::string path = "/" + std::string(bytes);
    std::string room, again;
    if (const auto normal = normal_path(path, room)) {
        PST_ASSERT(normal->starts_with('/'));
        PST_ASSERT(!climbs_for_somebody(*normal));
        PST_ASSERT(normal_path(*normal, again) == normal);
    }
    if (const auto value = query_value(bytes, "a")) {
        PST_ASSERT(value->find('&') == std::string_view::npos);
    }
    return 0;
}
