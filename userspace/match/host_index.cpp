// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/host_index.hpp"

namespace penstock::match {

std::string normal_host(std::string_view host) {
    if (host.starts_with('[')) {
        host = host.substr(0, host.find(']') == std::string_view::npos ? host.size() : host.find(']') + 1);
    } else {
        host = host.substr(0, host.find(':'));
    }
    if (host.size() > 1 && host.ends_with('.')) {
        host.remove_suffix(1);
    }
    std::string name(host);
    for (char& letter : name) {
        letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter;
    }
    return name;
}

}  // namespace penstock::match
