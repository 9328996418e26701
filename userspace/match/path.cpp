// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/path.hpp"

#include <vector>

namespace penstock::match {

namespace {

// Number of dots that an element consists of, 0 if it is anything else: ".", "..", "%2e", ".%2E", ...
int dots_of(std::string_view element) {
    int dots = 0;
    while (!element.empty()) {
        if (element.starts_with('.')) {
            element.remove_prefix(1);
        } else if (element.size() >= 3 && element[0] == '%' && element[1] == '2' && (element[2] == 'e' || element[2] == 'E')) {
            element.remove_prefix(3);
        } else {
            return 0;
        }
        ++dots;
    }
    return dots;
}

template <class Each>
void for_each_element(std::string_view path, Each each) {
    path.remove_prefix(1);
    for (;;) {
        const std::size_t slash = path.find('/');
        each(path.substr(0, slash), slash == std::string_view::npos);
        if (slash == std::string_view::npos) {
            return;
        }
        path.remove_prefix(slash + 1);
    }
}

}  // namespace

bool needs_normalising(std::string_view path) {
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
        const char next = slash + 1 < path.size() ? path[slash + 1] : '\0';
        if (next != '.' && next != '%') {
            continue;
        }
        const std::size_t end = path.find('/', slash + 1);
        const int dots = dots_of(path.substr(slash + 1, end == std::string_view::npos ? end : end - slash - 1));
        if (dots == 1 || dots == 2) {
            return true;
        }
    }
    return false;
}

std::optional<std::string> normal_path(std::string_view path) {
    std::vector<std::string_view> kept;
    bool above = false;
    for_each_element(path, [&](std::string_view element, bool last) {
        const int dots = dots_of(element);
        if (dots == 2) {
            above |= kept.empty();
            if (!kept.empty()) {
                kept.pop_back();
            }
        } else if (dots != 1) {
            kept.push_back(element);
        }
        if ((dots == 1 || dots == 2) && last) {
            kept.emplace_back();  // "/a/.." is "/"
        }
    });
    if (above) {
        return std::nullopt;
    }
    std::string normal;
    for (const std::string_view element : kept) {
        normal += '/';
        normal += element;
    }
    return normal.empty() ? "/" : normal;
}

}  // namespace penstock::match
