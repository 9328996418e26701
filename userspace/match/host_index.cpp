// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/host_index.hpp"

#include <algorithm>

namespace penstock::match {

namespace {

std::string_view bare(std::string_view host) {
    if (host.starts_with('[')) {
        const std::size_t end = host.find(']');
        host = host.substr(0, end == std::string_view::npos ? end : end + 1);
    } else {
        host = host.substr(0, host.find(':'));
    }
    if (host.size() > 1 && host.ends_with('.')) {
        host.remove_suffix(1);
    }
    return host;
}

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + ('a' - 'A')) : letter; }

}  // namespace

std::string normal_host(std::string_view host) {
    std::string name(bare(host));
    std::transform(name.begin(), name.end(), name.begin(), lower);
    return name;
}

HostName::HostName(std::string_view host) {
    const std::string_view name = bare(host);
    if (name.size() <= text_.size()) {
        size_ = name.size();
        std::transform(name.begin(), name.end(), text_.begin(), lower);
    }
}

}  // namespace penstock::match
